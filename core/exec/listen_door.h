// ListenDoor: where the preload library of a program, and of its children, asks the launcher about listeners; the
// launcher's end of preload_protocol.h.
#ifndef CORE_EXEC_LISTEN_DOOR_H_
#define CORE_EXEC_LISTEN_DOOR_H_

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "core/base/fd.h"
#include "core/exec/preload_protocol.h"
#include "core/net/address.h"

namespace uc::exec {

// One socket that some process of the program listens on, or is about to.
using ListenId = uint64_t;

class ListenDoor {
 public:
  struct Events {
    // To be answered, sooner or later: the program waits.
    std::function<void(ListenId, const net::Address&)> may_bind;
    std::function<void(ListenId, const net::Address&)> may_listen;
    // The program's own socket, to be kept for those that come after it.
    std::function<void(ListenId, const net::Address&, Fd)> bound;
    std::function<void(ListenId, const net::Address&)> listening;
  };

  // `name`: of an abstract UNIX socket, behind '@'. Only processes of `user`, our own user or root are heard.
  static absl::StatusOr<ListenDoor> Open(const std::string& name, uid_t user, Events events);
  ListenDoor(ListenDoor&&) = default;

  // All that poll(2) should look at for POLLIN.
  std::vector<int> descriptors() const;
  void OnReadable(int fd);

  void TakeThis(ListenId id, int listener);
  void BindThere(ListenId id, const net::Address& address);
  void LeaveAlone(ListenId id);
  void Fail(ListenId id, int error);

  // Orders to all that listen, or to those on this address.
  void Close();
  void Reopen();
  void Adopt(uint32_t slot, const net::Address& address, int listener);
  void Release(uint32_t slot);

 private:
  struct Asker {
    ListenId id = 0;
    Fd fd;
    bool listening = false;
    net::Address address;
  };
  ListenDoor(Fd door, uid_t user, Events events)
      : door_(std::move(door)), user_(user), events_(std::move(events)) {}
  void Hear(Asker& asker);
  void Tell(ListenId id, Packet packet, int descriptor = -1);
  void TellAll(Packet packet);

  Fd door_;
  uid_t user_;
  Events events_;
  std::map<int, Asker> askers_;  // by descriptor
  ListenId last_ = 0;
};

}  // namespace uc::exec

#endif  // CORE_EXEC_LISTEN_DOOR_H_
