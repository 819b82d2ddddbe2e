// ListenDoor: where the preload library of a program, and of its children, asks the launcher about listeners; the
// launcher's end of preload/protocol.h.
#ifndef CORE_EXEC_LISTEN_DOOR_H_
#define CORE_EXEC_LISTEN_DOOR_H_

#include <sys/types.h>

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
  };

  // `name`: of an abstract UNIX socket, behind '@'. Only processes of `user`, our own user or root are heard.
  static absl::StatusOr<ListenDoor> Open(const std::string& name, uid_t user, Events events);
  ListenDoor(ListenDoor&&) = default;

  const std::string& name() const { return name_; }
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
  Life Total() const;
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
  struct Asker {
    AskerId id = 0;
    Fd fd;
    pid_t pid = 0;
    std::vector<net::Address> listens_on;
    std::optional<LifePage> life;
    std::optional<Tally> tally;
  };
  ListenDoor(std::string name, Fd door, uid_t user, Events events)
      : name_(std::move(name)), door_(std::move(door)), user_(user), events_(std::move(events)) {}
  void Answer();
  // False: it has gone.
  bool Hear(Asker& asker);
  void BeginListening(Asker& asker, const net::Address& address);
  void Tell(AskerId id, Packet packet, int descriptor = -1);
  void TellAll(const Packet& packet);
  void Leave(std::map<int, Asker>::iterator asker);

  std::string name_;
  Fd door_;
  uid_t user_;
  Events events_;
  bool closed_ = false;
  std::map<int, Asker> askers_;  // by descriptor
  std::multimap<uint32_t, std::pair<net::Address, Fd>> adopted_;
  Life departed_ = {};
  AskerId last_ = 0;
};

}  // namespace uc::exec

#endif  // CORE_EXEC_LISTEN_DOOR_H_
