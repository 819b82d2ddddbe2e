// Client: a peer of the worker under test, byte by byte. Every wait has a deadline; none of them sleeps.
#ifndef TESTS_WORKER_CLIENT_H_
#define TESTS_WORKER_CLIENT_H_

#include <map>
#include <string>
#include <string_view>

#include "core/base/fd.h"
#include "core/net/address.h"

namespace uc::worker {

struct Answer {
  int status = 0;  // 0: the connection ended before an answer was complete
  std::map<std::string, std::string> fields;  // names in small letters
  std::string body;
};

// How the server's side of a connection ended.
enum class Ending { kOpen, kFin, kReset };

class Client {
 public:
  struct Sockets {
    int receive_buffer_bytes = 0;  // 0: the kernel's choice; small ones make a slow reader
  };
  explicit Client(const net::Address& address) : Client(address, Sockets()) {}
  Client(const net::Address& address, Sockets sockets);
  // The other side: of a connection that the worker has opened.
  explicit Client(Fd accepted);

  bool connected() const { return connected_; }
  // Sends all of it; false when the server does not take it (any more).
  bool Say(std::string_view bytes);
  // Sends until the socket takes no more without waiting; how much that was.
  size_t SayWhatFits(std::string_view bytes);
  Answer Get(std::string_view path);
  // The next answer; `kHeadOnly` for what answers a HEAD.
  enum class Body { kPresent, kHeadOnly };
  Answer Hear(Body body = Body::kPresent);
  // The next head, with its empty line; "" when the connection ends before.
  std::string HearHead();
  // Bytes as they come: exactly `size`, or fewer at the end.
  std::string HearBytes(size_t size);
  // Everything until the end.
  std::string HearAll();
  // How it ended; waits for the end and drops what comes before it.
  Ending AwaitEnd();
  // As far as is known without waiting.
  bool Silent() const;
  void EndSending();  // FIN
  void Reset();       // RST

 private:
  bool Fill();  // more bytes in pending_; false at the end

  Fd fd_;
  bool connected_ = false;
  std::string pending_;
  Ending ending_ = Ending::kOpen;
};

}  // namespace uc::worker

#endif  // TESTS_WORKER_CLIENT_H_
