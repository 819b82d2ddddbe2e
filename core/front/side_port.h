// SidePort: a port of the program that was taken for its site until a better one came (site_choice.h). The program has a
// private socket there, so nobody could connect to it: this listens at the port's own address and passes the bytes of
// each connection on. As a port that is shared by all workers' programs, the kernel spreads connections over them.
//
// It knows nothing of what is spoken there. Refused: to put a TCP socket back underneath the program's descriptor, which
// its event loop would not notice (epoll(7) watches the socket, not the descriptor).
#ifndef CORE_FRONT_SIDE_PORT_H_
#define CORE_FRONT_SIDE_PORT_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "core/base/fd.h"
#include "core/front/private_listener.h"

namespace uc::front {

class SidePort {
 public:
  static constexpr size_t kPairsMax = 256;  // connections; others wait in the queue

  // `behind`: the program's. `listeners`: bound at the port's own addresses.
  SidePort(PrivateListener behind, std::vector<Fd> listeners);
  ~SidePort();
  SidePort(SidePort&&) noexcept;

  // Readable when OnReadable() has something to do.
  int fd() const { return epoll_.get(); }
  const net::Address& address() const { return behind_.site(); }
  // Listens as soon as the program does: to be called when it may have begun to.
  void Review();
  // A bounded amount of work. False: there is more.
  bool OnReadable();

  size_t pairs() const { return pairs_.size(); }

 private:
  struct Pair;
  void Accept(const Fd& listener);
  void Open(Fd client);
  // False: it has ended.
  static bool Step(Pair& pair);
  void WatchListeners();
  void Watch(uint64_t id, Pair& pair);

  PrivateListener behind_;
  std::vector<Fd> listeners_;
  Fd epoll_;
  std::map<uint64_t, std::unique_ptr<Pair>> pairs_;
  uint64_t last_ = 0;
  bool listens_ = false;
  bool watched_ = false;  // the listeners: while there is room for a pair
};

}  // namespace uc::front

#endif  // CORE_FRONT_SIDE_PORT_H_
