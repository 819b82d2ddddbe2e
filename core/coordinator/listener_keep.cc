#include "core/coordinator/listener_keep.h"

#include <sys/socket.h>

#include <algorithm>
#include <utility>

#include "core/link/message.h"
#include "core/net/listener.h"

namespace uc::coordinator {
namespace {

bool IsStreamSocket(const Fd& fd) {
  int type = 0;
  socklen_t size = sizeof(type);
  return getsockopt(fd.get(), SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_STREAM;
}

}  // namespace

bool ListenerKeep::Keep(policy::SlotIndex slot, std::vector<Fd> listeners) {
  LookAnew();
  const auto present = kept_.find(slot);
  if (kind_ == Kind::kGrowing && (present != kept_.end() || listeners.size() > addresses_ ||
                                  (addresses_ == 0 && !listeners.empty()))) {
    const bool any = KeepMore(kept_[slot], std::move(listeners));
    if (kept_[slot].empty()) kept_.erase(slot);
    return any;
  }
  if (present != kept_.end() || listeners.size() != addresses_ ||
      !std::all_of(listeners.begin(), listeners.end(), IsStreamSocket)) {
    return false;
  }
  kept_.emplace(slot, std::move(listeners));
  return true;
}

bool ListenerKeep::KeepMore(std::vector<Fd>& kept, std::vector<Fd> more) {
  bool any = false;
  for (Fd& one : more) {
    const absl::StatusOr<net::Address> address = net::LocalAddress(one);
    if (!IsStreamSocket(one) || !address.ok() || kept.size() >= link::kAddressesMax) continue;
    const bool present = std::any_of(kept.begin(), kept.end(), [&](const Fd& other) {
      const absl::StatusOr<net::Address> its = net::LocalAddress(other);
      return its.ok() && *its == *address;
    });
    if (present) continue;
    kept.push_back(std::move(one));
    any = true;
  }
  return any;
}

absl::Span<const Fd> ListenerKeep::FixedOf(policy::SlotIndex slot) const {
  return Of(slot).subspan(0, addresses_);
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
  LookAnew();
  for (const Fd& listener : Of(slot)) shutdown(listener.get(), SHUT_RD);
  kept_.erase(slot);
}

absl::Span<const pollfd> ListenerKeep::Polled() {
  if (looked_at_.empty()) {
    for (const auto& [slot, listeners] : kept_) {
      for (const Fd& listener : listeners) {
        looked_at_.push_back({listener.get(), POLLIN, 0});
        slots_looked_at_.push_back(slot);
      }
    }
  }
  return looked_at_;
}

std::vector<policy::SlotIndex> ListenerKeep::SlotsWithWork() {
  Polled();
  std::vector<policy::SlotIndex> slots;
  if (poll(looked_at_.data(), looked_at_.size(), 0) <= 0) return slots;
  for (size_t i = 0; i < looked_at_.size(); ++i) {
    if (looked_at_[i].revents != POLLIN)
      continue;  // POLLHUP: it does not listen (yet, or any more)
    if (slots.empty() || slots.back() != slots_looked_at_[i]) slots.push_back(slots_looked_at_[i]);
  }
  return slots;
}

void ListenerKeep::LookAnew() {
  looked_at_.clear();
  slots_looked_at_.clear();
}

}  // namespace uc::coordinator
