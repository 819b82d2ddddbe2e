#include "core/front/question.h"

#include <errno.h>
#include <sys/socket.h>

#include <utility>

#include "absl/status/statusor.h"
#include "core/http/probe_request.h"

namespace uc::front {
namespace {

constexpr int kReadsMax = 16;  // at one look

}  // namespace

Question::Question(absl::string_view path, absl::string_view host)
    : text_(http::ProbeRequest(path, host)) {}

void Question::Put() {
  Drop();
  open_ = true;
}

void Question::Drop() {
  fd_.Reset();
  sent_ = 0;
}

bool Question::Send() {
  while (sent_ < text_.size()) {
    const ssize_t size =
        send(fd_.get(), text_.data() + sent_, text_.size() - sent_, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (size < 0) return errno == EAGAIN || errno == EINTR || errno == ENOTCONN;
    sent_ += static_cast<size_t>(size);
  }
  return true;
}

bool Question::Look(const Endpoint& program) {
  if (open_ && !fd_.valid()) {
    absl::StatusOr<Fd> connected = program.Connect();
    if (!connected.ok()) return false;  // nobody listens, or the backlog is full
    fd_ = *std::move(connected);
  }
  if (!fd_.valid()) return false;
  if (!Send()) {
    Drop();
    return false;
  }
  bool answered = false;
  for (int i = 0; i < kReadsMax; ++i) {
    char bytes[4096];
    const ssize_t size = recv(fd_.get(), bytes, sizeof(bytes), MSG_DONTWAIT);
    if (size < 0 && (errno == EAGAIN || errno == EINTR || errno == ENOTCONN)) return answered;
    if (size < 0) {  // a reset: nobody has taken it
      Drop();
      return answered;
    }
    answered |= std::exchange(open_, false);
    if (size == 0) {
      Drop();
      return answered;
    }
  }
  return answered;
}

}  // namespace uc::front
