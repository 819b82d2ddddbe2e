#include "core/exec/node_channel.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace uc::exec {

absl::StatusOr<std::pair<NodeChannel, Fd>> NodeChannel::Make() {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0) {
    return absl::ErrnoToStatus(errno, "no channel for the program");
  }
  return std::make_pair(NodeChannel(Fd(ends[0])), Fd(ends[1]));
}

bool NodeChannel::Send(absl::string_view message) {
  const std::string line = absl::StrCat(message, "\n");
  return send(fd_.get(), line.data(), line.size(), MSG_NOSIGNAL | MSG_DONTWAIT) ==
         static_cast<ssize_t>(line.size());
}

std::vector<std::string> NodeChannel::Receive(bool* open) {
  std::vector<std::string> messages;
  char buffer[4096];
  ssize_t size;
  *open = true;
  for (int piece = 0; (size = recv(fd_.get(), buffer, sizeof(buffer), MSG_DONTWAIT)) != 0;) {
    if (size < 0) {
      if (errno == EINTR) continue;
      *open = errno == EAGAIN;
      return messages;
    }
    for (const char c : absl::string_view(buffer, static_cast<size_t>(size))) {
      if (c != '\n') {
        if (begun_.size() >= kLineBytesMax) dropping_ = true;
        if (!dropping_) begun_.push_back(c);
        continue;
      }
      if (!dropping_ && !begun_.empty()) messages.push_back(std::move(begun_));
      begun_.clear();
      dropping_ = false;
    }
    if (++piece == kPiecesMax) return messages;
  }
  *open = false;
  return messages;
}

}  // namespace uc::exec
