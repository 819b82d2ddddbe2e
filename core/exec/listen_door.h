// ListenDoor: where the preload library of a program, and of its children, asks the launcher about listeners; the
// launcher's end of preload/protocol.h.
//
// A connection is heard once its first packet has carried the door's secret, whoever it comes from: the name is no
// secret, and neither a user id nor root's says that a process is one of the program's. What the program can make of
// this end is bounded: connections, addresses, and what it counts (LifePage).
#ifndef CORE_EXEC_LISTEN_DOOR_H_
#define CORE_EXEC_LISTEN_DOOR_H_

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "core/base/fd.h"
#include "core/exec/life_page.h"
#include "core/exec/preload/protocol.h"
#include "core/net/address.h"

namespace uc::exec {

// One connection of some process of the program. Unique for the door's life, from 1.
using AskerId = uint64_t;

// What a process wants to bind to or listen on.
struct Wish {
  net::Address address;
  bool dual_stack = false;
};

class ListenDoor {
 public:
  struct Events {
    // To be answered, sooner or later: the program waits.
    std::function<void(AskerId, const Wish&)> may_bind;
    std::function<void(AskerId, const Wish&, Fd own)> may_listen;
    std::function<void(AskerId, const net::Address&)> listening;
    // Of a program behind a front: listen() on what TakeThis() has given for this address. The process waits until this
    // returns; 0: it is of another PID namespace.
    std::function<void(pid_t, const net::Address&)> site_listens = {};
    // It was a client's, which has bound its port before it connects.
    std::function<void(const net::Address&)> site_connects = {};
  };

  static constexpr size_t kStrangersMax = 64;    // that have not shown the secret yet
  static constexpr size_t kQuestionsMax = 256;   // that do not listen
  static constexpr size_t kListeningMax = 1024;  // fewer where there are few descriptors

  // `name`: of an abstract UNIX socket, behind '@'. The secret is made here.
  static absl::StatusOr<ListenDoor> Open(const std::string& name, Events events);
  ListenDoor(ListenDoor&&) = default;

  // For kDoorVariable in the program's environment.
  const std::string& address() const { return address_; }
  // All that poll(2) should look at for POLLIN.
  std::vector<int> descriptors() const;
  void OnReadable(int fd);

  // Answers. An asker that has gone hears nothing.
  void TakeThis(AskerId id, int socket);
  void KeepYours(AskerId id);
  void LeaveAlone(AskerId id);
  void Fail(AskerId id, int error);

  // Whether those that listen, now or later, accept.
  void Close();
  void Admit();
  bool closed() const { return closed_; }
  // To those on this address, now or later: accept from `listener` of another slot as well.
  void Adopt(uint32_t slot, const net::Address& address, Fd listener);
  void Release(uint32_t slot);
  // The other slots whose listeners were adopted, with them.
  const std::multimap<uint32_t, std::pair<net::Address, Fd>>& adopted() const { return adopted_; }

  // Of all processes, those that are gone included: their connections have ended with them.
  Life Total();
  // Since Close(): open connections, and those in the middle of a request; nullopt: somebody has not said yet.
  struct Tally {
    uint32_t open = 0;
    uint32_t busy = 0;
  };
  std::optional<Tally> Connections() const;
  bool anybody_listens() const;
  // A process that listens; 0: none. The first that does.
  pid_t accepting_pid() const;

 private:
  enum class Kind {
    kStranger,  // has said nothing yet
    kAsks,      // has shown the secret
    kListens,
  };
  //   kStranger --the secret--> kAsks --kListening--> kListens
  struct Asker {
    AskerId id = 0;
    Kind kind = Kind::kStranger;
    Fd fd;
    pid_t pid = 0;
    std::vector<net::Address> listens_on;
    std::optional<LifePage> life;
    std::optional<Tally> tally;
  };
  using Secret = std::array<uint8_t, kSecretBytes>;
  ListenDoor(std::string address, const Secret& secret, Fd door, size_t listening_max,
             Events events)
      : address_(std::move(address)),
        secret_(secret),
        door_(std::move(door)),
        listening_max_(listening_max),
        events_(std::move(events)) {}
  void Answer();
  bool ShowsSecret(const Packet& packet) const;
  size_t Count(Kind kind) const;
  // Lets the oldest of a kind go while there are more than `most`.
  void Bound(Kind kind, size_t most);
  // False: it has gone.
  bool Hear(Asker& asker);
  // False: it cannot, there are too many that listen.
  bool BeginListening(Asker& asker, const net::Address& address);
  void Tell(AskerId id, Packet packet, int descriptor = -1);
  void TellAll(const Packet& packet);
  void Leave(std::map<int, Asker>::iterator asker);

  std::string address_;
  Secret secret_;
  Fd door_;
  size_t listening_max_;
  Events events_;
  bool closed_ = false;
  std::map<int, Asker> askers_;  // by descriptor
  std::multimap<uint32_t, std::pair<net::Address, Fd>> adopted_;
  Life departed_ = {};
  AskerId last_ = 0;
};

}  // namespace uc::exec

#endif  // CORE_EXEC_LISTEN_DOOR_H_
