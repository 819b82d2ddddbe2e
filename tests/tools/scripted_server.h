// ScriptedServer: a server that does to each connection what a story says: answers, dawdles, breaks it.
//
// One thread per connection; the story is a function of what the client of a real server would meet.
#ifndef TESTS_TOOLS_SCRIPTED_SERVER_H_
#define TESTS_TOOLS_SCRIPTED_SERVER_H_

#include <atomic>
#include <functional>
#include <list>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/string_view.h"
#include "core/base/fd.h"
#include "core/net/address.h"

namespace uc::load {

// The server's side of one connection.
class Peer {
 public:
  explicit Peer(Fd fd) : fd_(std::move(fd)) {}

  // The next request's head; "" when the client has gone.
  std::string Request();
  void Say(absl::string_view text);
  // A whole answer with a length.
  void Answer(absl::string_view body);
  // Until the client goes.
  void Wait();
  // Sends an RST.
  void Reset();
  int fd() const { return fd_.get(); }

 private:
  Fd fd_;
  std::string read_;
};

class ScriptedServer {
 public:
  using Story = std::function<void(Peer&)>;
  explicit ScriptedServer(Story story);
  ScriptedServer(const ScriptedServer&) = delete;
  ScriptedServer& operator=(const ScriptedServer&) = delete;
  ~ScriptedServer();

  const net::Address& address() const { return address_; }
  int connections() const { return connections_; }
  // Where the connections came from, without ports.
  std::vector<std::string> sources();

 private:
  void Accept();
  void Serve(Fd fd);

  const Story story_;
  Fd listener_;
  net::Address address_;
  std::atomic<int> connections_ = 0;
  std::mutex mutex_;
  std::list<std::thread> threads_;
  std::vector<int> open_;
  std::vector<std::string> sources_;
  std::thread accepting_;
};

}  // namespace uc::load

#endif  // TESTS_TOOLS_SCRIPTED_SERVER_H_
