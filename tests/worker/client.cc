#include "tests/worker/client.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace uc::worker {
namespace {

constexpr int kPatienceMs = 20'000;

bool Await(int fd, short events, int patience_ms) {
  pollfd watch = {fd, events, 0};
  return poll(&watch, 1, patience_ms) == 1;
}

}  // namespace

Client::Client(const net::Address& address, Sockets sockets)
    : fd_(socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  if (sockets.receive_buffer_bytes > 0) {
    setsockopt(fd_.get(), SOL_SOCKET, SO_RCVBUF, &sockets.receive_buffer_bytes,
               sizeof(sockets.receive_buffer_bytes));
  }
  connected_ = connect(fd_.get(), address.get(), address.size()) == 0;
}

Client::Client(Fd accepted) : fd_(std::move(accepted)), connected_(fd_.valid()) {}

bool Client::Say(std::string_view bytes) {
  while (!bytes.empty()) {
    if (!Await(fd_.get(), POLLOUT, kPatienceMs)) return false;
    const ssize_t sent = send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno != EAGAIN) return false;
    if (sent > 0) bytes.remove_prefix(static_cast<size_t>(sent));
  }
  return true;
}

size_t Client::SayWhatFits(std::string_view bytes) {
  size_t total = 0;
  // A short patience tells "takes no more" from "is slow": the kernel moves windows on its own.
  while (total < bytes.size() && Await(fd_.get(), POLLOUT, 300)) {
    const ssize_t sent =
        send(fd_.get(), bytes.data() + total, bytes.size() - total, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno != EAGAIN) break;
    if (sent > 0) total += static_cast<size_t>(sent);
  }
  return total;
}

bool Client::Fill() {
  if (ending_ != Ending::kOpen || !Await(fd_.get(), POLLIN, kPatienceMs)) return false;
  char bytes[64 * 1024];
  const ssize_t size = recv(fd_.get(), bytes, sizeof(bytes), 0);
  if (size > 0) {
    pending_.append(bytes, static_cast<size_t>(size));
    return true;
  }
  ending_ = size == 0 ? Ending::kFin : Ending::kReset;
  return false;
}

Answer Client::Get(std::string_view path) {
  Say(absl::StrCat("GET ", absl::string_view(path.data(), path.size()),
                   " HTTP/1.1\r\nHost: test\r\n\r\n"));
  return Hear();
}

std::string Client::HearBytes(size_t size) {
  while (pending_.size() < size && Fill()) {
  }
  const std::string bytes = pending_.substr(0, size);
  pending_.erase(0, bytes.size());
  return bytes;
}

std::string Client::HearHead() {
  size_t end;
  while ((end = pending_.find("\r\n\r\n")) == std::string::npos) {
    if (!Fill()) return "";
  }
  return HearBytes(end + 4);
}

Answer Client::Hear(Body body) {
  size_t end;
  while ((end = pending_.find("\r\n\r\n")) == std::string::npos) {
    if (!Fill()) return {};
  }
  const std::string head = pending_.substr(0, end + 2);
  pending_.erase(0, end + 4);
  Answer answer;
  answer.status = std::atoi(head.c_str() + sizeof("HTTP/1.1"));
  for (size_t at = head.find("\r\n") + 2; at < head.size();) {
    const size_t stop = head.find("\r\n", at);
    const size_t colon = head.find(": ", at);
    answer.fields[absl::AsciiStrToLower(head.substr(at, colon - at))] =
        head.substr(colon + 2, stop - colon - 2);
    at = stop + 2;
  }
  if (body == Body::kHeadOnly || answer.status == 304 || answer.status < 200) return answer;
  if (answer.fields["transfer-encoding"] == "chunked") {
    for (;;) {
      while ((end = pending_.find("\r\n")) == std::string::npos) {
        if (!Fill()) return {};
      }
      const size_t size = std::strtoul(pending_.c_str(), nullptr, 16);
      pending_.erase(0, end + 2);
      const std::string chunk = HearBytes(size + 2);
      if (chunk.size() < size + 2) return {};
      answer.body.append(chunk, 0, size);
      if (size == 0) return answer;
    }
  }
  const size_t size = std::strtoul(answer.fields["content-length"].c_str(), nullptr, 10);
  answer.body = HearBytes(size);
  return answer.body.size() == size ? answer : Answer();
}

std::string Client::HearAll() {
  while (Fill()) {
  }
  return std::move(pending_);
}

Ending Client::AwaitEnd() {
  while (Fill()) {
    pending_.clear();
  }
  return ending_;
}

bool Client::Silent() const {
  return pending_.empty() && ending_ == Ending::kOpen && !Await(fd_.get(), POLLIN, 0);
}

void Client::EndSending() { shutdown(fd_.get(), SHUT_WR); }

void Client::Reset() {
  const linger at_once = {1, 0};
  setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
  fd_.Reset();
}

}  // namespace uc::worker
