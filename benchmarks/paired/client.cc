#include "benchmarks/paired/client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

namespace uc::paired {
namespace {

constexpr int kSilenceMs = 5'000;
constexpr size_t kBufferBytes = 256 * 1024;
constexpr size_t kDateBytes = 29;
// 127.1.0.1 and so on: each has its own ports, so that new connections never run out of them.
constexpr uint32_t kSources = 64;
constexpr uint32_t kFirstSource = 0x7f010001;

}  // namespace

Client::Client(const Work& work, uint16_t port) : work_(work), port_(port), buffer_(kBufferBytes) {
  const std::string request = work.Request();
  request_bytes_ = request.size();
  for (int i = 0; i < work.depth; ++i) requests_ += request;
  if (work.traced) id_at_ = request.find(Work::kIdField) + sizeof(Work::kIdField) - 1;
}

absl::StatusOr<Client> Client::Open(const Work& work, uint16_t port) {
  Client client(work, port);
  if (absl::Status status = client.Learn(); !status.ok()) return status;
  client.epoll_.Reset(epoll_create1(EPOLL_CLOEXEC));
  client.connections_.resize(static_cast<size_t>(work.connections));
  if (work.kind == Work::Connections::kNew) return client;
  for (size_t i = 0; i < client.connections_.size(); ++i) {
    absl::StatusOr<Fd> fd = client.Connect();
    if (!fd.ok()) return fd.status();
    client.connections_[i].fd = *std::move(fd);
    epoll_event event = {.events = EPOLLIN | EPOLLET, .data = {.u64 = i}};
    epoll_ctl(client.epoll_.get(), EPOLL_CTL_ADD, client.connections_[i].fd.get(), &event);
  }
  return client;
}

absl::StatusOr<Fd> Client::Connect() {
  Fd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return absl::ErrnoToStatus(errno, "socket");
  const int on = 1;
  setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  setsockopt(fd.get(), IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(kFirstSource + sources_++ % kSources);
  if (bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
    return absl::ErrnoToStatus(errno, "bind");
  }
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port_);
  if (connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
    return absl::ErrnoToStatus(errno, "connect");
  }
  return fd;
}

// One request on a connection of its own, read without haste.
absl::Status Client::Learn() {
  absl::StatusOr<Fd> fd = Connect();
  if (!fd.ok()) return fd.status();
  const timeval silence = {.tv_sec = kSilenceMs / 1000, .tv_usec = 0};
  setsockopt(fd->get(), SOL_SOCKET, SO_RCVTIMEO, &silence, sizeof(silence));
  if (send(fd->get(), requests_.data(), request_bytes_, MSG_NOSIGNAL) < 0) {
    return absl::ErrnoToStatus(errno, "send");
  }
  std::string bytes;
  size_t length = 0;
  for (size_t end = std::string::npos;
       end == std::string::npos || bytes.size() < head_.size() + length;) {
    const ssize_t size = recv(fd->get(), buffer_.data(), buffer_.size(), 0);
    if (size <= 0) return absl::UnavailableError("no whole answer to the first request");
    bytes.append(buffer_.data(), static_cast<size_t>(size));
    if (end != std::string::npos || (end = bytes.find("\r\n\r\n")) == std::string::npos) continue;
    head_ = bytes.substr(0, end + 4);
    const std::string kLength = "content-length: ";
    std::string lower = head_;
    for (char& c : lower) c = static_cast<char>(tolower(c));
    const size_t at = lower.find(kLength);
    if (!absl::StartsWith(head_, "HTTP/1.1 200") || at == std::string::npos ||
        !absl::SimpleAtoi(
            lower.substr(at + kLength.size(), lower.find('\r', at) - at - kLength.size()),
            &length)) {
      return absl::UnavailableError(absl::StrCat("not a 200 with its length:\n", head_));
    }
    const size_t date = lower.find("\r\ndate: ");
    date_ = date == std::string::npos ? 0 : date + 8;
  }
  body_ = bytes.substr(head_.size());
  if (body_.size() != length) return absl::UnavailableError("more bytes than promised");
  return absl::OkStatus();
}

void Client::Number(int requests) {
  for (int i = 0; i < requests; ++i) {
    const std::string id = absl::StrCat(absl::Dec(++last_id_, absl::kZeroPad16));
    requests_.replace(request_bytes_ * static_cast<size_t>(i) + id_at_, id.size(), id);
  }
}

absl::Status Client::Ask(Connection& connection, int requests) {
  if (work_.traced) Number(requests);
  const size_t size = request_bytes_ * static_cast<size_t>(requests);
  if (send(connection.fd.get(), requests_.data(), size, MSG_NOSIGNAL) !=
      static_cast<ssize_t>(size)) {
    return absl::ErrnoToStatus(errno, "send");
  }
  connection.asked += requests;
  under_way_ += requests;
  return absl::OkStatus();
}

absl::Status Client::Begin(size_t index) {
  Connection& connection = connections_[index];
  if (work_.kind == Work::Connections::kNew) {
    absl::StatusOr<Fd> fd = Connect();
    if (!fd.ok()) return fd.status();
    connection.fd = *std::move(fd);
    connection.taken = 0;
    epoll_event event = {.events = EPOLLIN | EPOLLET, .data = {.u64 = index}};
    epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, connection.fd.get(), &event);
  }
  return Ask(connection, work_.depth);
}

// The part of the answer from connection.taken on, which does not go past its end.
absl::Status Client::Compare(const Connection& connection, const char* bytes, size_t size) const {
  size_t at = connection.taken;
  while (size > 0) {
    const bool in_date = date_ > 0 && at >= date_ && at < date_ + kDateBytes;
    const size_t stop = in_date                   ? date_ + kDateBytes
                        : date_ > 0 && at < date_ ? date_
                        : at < head_.size()       ? head_.size()
                                                  : answer_bytes();
    const size_t part = std::min(size, stop - at);
    const char* expected =
        at < head_.size() ? head_.data() + at : body_.data() + (at - head_.size());
    if (!in_date && memcmp(bytes, expected, part) != 0) {
      return absl::DataLossError(absl::StrCat("a wrong answer: '", std::string(bytes, part), "'"));
    }
    bytes += part;
    at += part;
    size -= part;
  }
  return absl::OkStatus();
}

absl::Status Client::Read(Connection& connection, int64_t* done) {
  for (;;) {
    const ssize_t size = recv(connection.fd.get(), buffer_.data(), buffer_.size(), MSG_DONTWAIT);
    if (size < 0 && errno == EAGAIN) return absl::OkStatus();
    if (size <= 0) return absl::UnavailableError("the server has ended a connection");
    const char* bytes = buffer_.data();
    size_t left = static_cast<size_t>(size);
    while (left > 0) {
      if (connection.asked == 0) return absl::DataLossError("an answer to no request");
      const size_t part = std::min(left, answer_bytes() - connection.taken);
      if (absl::Status status = Compare(connection, bytes, part); !status.ok()) return status;
      connection.taken += part;
      bytes += part;
      left -= part;
      if (connection.taken < answer_bytes()) continue;
      connection.taken = 0;
      --connection.asked;
      --under_way_;
      ++*done;
    }
    // A short read has emptied the socket; so has one that brought the last answer.
    if (connection.asked == 0 || static_cast<size_t>(size) < buffer_.size()) {
      return absl::OkStatus();
    }
  }
}

absl::StatusOr<int64_t> Client::Window(absl::Duration length) {
  const absl::Time end = absl::Now() + length;
  for (size_t i = 0; i < connections_.size(); ++i) {
    if (absl::Status status = Begin(i); !status.ok()) return status;
  }
  int64_t done = 0;
  std::array<epoll_event, 256> events;
  while (Busy()) {
    const int count =
        epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), kSilenceMs);
    if (count <= 0) return absl::UnavailableError("no answer");
    const bool going_on = absl::Now() < end;
    for (int i = 0; i < count; ++i) {
      const size_t index = events[static_cast<size_t>(i)].data.u64;
      Connection& connection = connections_[index];
      if (absl::Status status = Read(connection, &done); !status.ok()) return status;
      if (connection.asked > 0) continue;
      if (work_.kind == Work::Connections::kNew) connection.fd.Reset();
      if (!going_on) continue;
      if (absl::Status status = Begin(index); !status.ok()) return status;
    }
  }
  return done;
}

}  // namespace uc::paired
