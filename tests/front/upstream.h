// Upstream: the server behind the front under test, played by the test itself, byte by byte.
#ifndef TESTS_FRONT_UPSTREAM_H_
#define TESTS_FRONT_UPSTREAM_H_

#include <string>
#include <string_view>

#include "core/base/fd.h"
#include "core/front/front.h"
#include "tests/worker/client.h"
#include "tests/worker/stage.h"

namespace uc::front {

using worker::Client;
using Peer = worker::Client;  // the server's side of one connection

class Upstream {
 public:
  // Listens on a UNIX socket in a folder of its own: the tests' one may be too long a name for it.
  Upstream();
  ~Upstream();
  Upstream(const Upstream&) = delete;
  Upstream& operator=(const Upstream&) = delete;

  // The next connection of the front; one that is not connected when none comes in time.
  Peer Accept();
  // No connection waits to be accepted, as far as is known without waiting.
  bool Alone() const;
  // Nobody is found at the path any more; connections stay.
  void Leave();
  // Listens again.
  void Return();
  const std::string& path() const { return path_; }

 private:
  std::string folder_;
  std::string path_;
  Fd listener_;
};

// A worker with a front, and the server behind it.
class FrontStage : public worker::Stage {
 protected:
  // Before RaiseFront():
  size_t in_flight_max_ = 0;
  size_t waiting_max_ = 100;
  absl::Duration wait_max_ = absl::Seconds(20);

  void RaiseFront();
  // The client sends a request; the connection on which the server has heard its head.
  Peer Ask(Client& client, std::string_view request);
  // The client sends kGet and hears kHello; the connection, which may be used again.
  Peer ServeOnce(Client& client);
  // In a tunnel one side ends, hears far more than is buffered on the way, and then the other's end.
  static void HearsAllAfterItsEnd(Client& ends, Client& speaks);

  Upstream server_;
};

inline constexpr char kGet[] = "GET /a?b HTTP/1.1\r\nHost: test\r\n\r\n";
inline constexpr char kHello[] = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

}  // namespace uc::front

#endif  // TESTS_FRONT_UPSTREAM_H_
