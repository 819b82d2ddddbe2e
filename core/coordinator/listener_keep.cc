#include "core/coordinator/listener_keep.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <utility>

namespace uc::coordinator {
namespace {

bool IsStreamSocket(const Fd& fd) {
  int type = 0;
  socklen_t size = sizeof(type);
  return getsockopt(fd.get(), SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_STREAM;
}

}  // namespace

bool ListenerKeep::Keep(policy::SlotIndex slot, std::vector<Fd> listeners) {
  if (kept_.count(slot) > 0 || listeners.size() != addresses_ ||
      !std::all_of(listeners.begin(), listeners.end(), IsStreamSocket)) {
    return false;
  }
  kept_.emplace(slot, std::move(listeners));
  return true;
}

absl::Span<const Fd> ListenerKeep::Of(policy::SlotIndex slot) const {
  const auto found = kept_.find(slot);
  return found == kept_.end() ? absl::Span<const Fd>() : absl::MakeConstSpan(found->second);
}

std::vector<int> ListenerKeep::DescriptorsOf(policy::SlotIndex slot) const {
  std::vector<int> descriptors;
  for (const Fd& listener : Of(slot)) descriptors.push_back(listener.get());
  return descriptors;
}

void ListenerKeep::Evacuate(policy::SlotIndex slot) {
  for (const Fd& listener : Of(slot)) shutdown(listener.get(), SHUT_RD);
  kept_.erase(slot);
}

bool ListenerKeep::WorkWaits(policy::SlotIndex slot) const {
  const absl::Span<const Fd> listeners = Of(slot);
  return std::any_of(listeners.begin(), listeners.end(), [](const Fd& listener) {
    // Of a listener: tcpi_unacked is the length of its accept queue (tcp_get_info in net/ipv4/tcp.c).
    tcp_info info = {};
    socklen_t size = sizeof(info);
    return getsockopt(listener.get(), IPPROTO_TCP, TCP_INFO, &info, &size) == 0 &&
           info.tcpi_unacked > 0;
  });
}

}  // namespace uc::coordinator
