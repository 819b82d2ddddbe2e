#include "tests/tools/scripted_server.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "core/base/check.h"
#include "core/net/listener.h"

namespace uc::load {

std::string Peer::Request() {
  for (;;) {
    if (const size_t end = read_.find("\r\n\r\n"); end != std::string::npos) {
      const std::string head = read_.substr(0, end + 4);
      read_.erase(0, end + 4);
      return head;
    }
    char bytes[4096];
    const ssize_t size = recv(fd_.get(), bytes, sizeof(bytes), 0);
    if (size <= 0) return "";
    read_.append(bytes, static_cast<size_t>(size));
  }
}

void Peer::Say(absl::string_view text) {
  while (!text.empty()) {
    const ssize_t size = send(fd_.get(), text.data(), text.size(), MSG_NOSIGNAL);
    if (size <= 0) return;
    text.remove_prefix(static_cast<size_t>(size));
  }
}

void Peer::Answer(absl::string_view body) {
  Say(absl::StrCat("HTTP/1.1 200 OK\r\nContent-Length: ", body.size(), "\r\n\r\n", body));
}

void Peer::Wait() {
  char bytes[4096];
  while (recv(fd_.get(), bytes, sizeof(bytes), 0) > 0) {
  }
}

void Peer::Reset() {
  const linger at_once = {1, 0};
  setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
}

ScriptedServer::ScriptedServer(Story story)
    : story_(std::move(story)), listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in local = {};
  local.sin_family = AF_INET;
  local.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  UC_CHECK(bind(listener_.get(), reinterpret_cast<sockaddr*>(&local), sizeof(local)) == 0);
  UC_CHECK(listen(listener_.get(), 1024) == 0);
  address_ = *net::LocalAddress(listener_);
  accepting_ = std::thread([this] { Accept(); });
}

ScriptedServer::~ScriptedServer() {
  shutdown(listener_.get(), SHUT_RDWR);
  accepting_.join();
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    for (const int fd : open_) shutdown(fd, SHUT_RDWR);
  }
  for (std::thread& thread : threads_) thread.join();
}

void ScriptedServer::Accept() {
  for (;;) {
    Fd fd(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!fd.valid()) return;
    ++connections_;
    const std::lock_guard<std::mutex> lock(mutex_);
    const std::string peer = net::PeerAddress(fd.get()).value_or(net::Address()).ToString();
    sources_.push_back(peer.substr(0, peer.find(':')));
    open_.push_back(fd.get());
    threads_.emplace_back([this, held = std::move(fd)]() mutable { Serve(std::move(held)); });
  }
}

void ScriptedServer::Serve(Fd fd) {
  const int number = fd.get();
  Peer peer(std::move(fd));
  story_(peer);
  const std::lock_guard<std::mutex> lock(mutex_);
  // Its number may be another connection's as soon as it is closed.
  open_.erase(std::find(open_.begin(), open_.end(), number));
}

std::vector<std::string> ScriptedServer::sources() {
  const std::lock_guard<std::mutex> lock(mutex_);
  return sources_;
}

}  // namespace uc::load
