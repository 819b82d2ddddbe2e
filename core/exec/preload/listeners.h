// Listeners: the slot's listeners that this process listens on, where it waits for them (its own epoll sets), those
// of other slots that it accepts from in their place, and the launcher's orders about all of them.
//
// Registrations in the program's own epoll sets are added to and taken back; its poll and select get the adopted
// listeners beside its own (accepting.h).
#ifndef CORE_EXEC_PRELOAD_LISTENERS_H_
#define CORE_EXEC_PRELOAD_LISTENERS_H_

#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "core/exec/preload/connections.h"
#include "core/exec/preload/protocol.h"

namespace uc::exec {

inline constexpr int kListenersMax = 32;
inline constexpr int kRegistrationsMax = 8;  // of one listener in epoll sets
inline constexpr int kAdoptedMax = 64;

struct Registration {
  int epoll_fd;
  int fd;  // the program's number for the listener
  epoll_event event;
};

struct Listener {
  int references = 0;     // the program's descriptors of it; 0: the place is free
  bool blocking = false;  // as the program sees it; underneath it never blocks
  sockaddr_storage address;
  Registration registrations[kRegistrationsMax];
  int registered = 0;
};

class Lock {
 public:
  Lock();
  ~Lock();
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;
};

extern bool any_listener;
// Of a descriptor: 0, or one more than its place in the table.
extern uint8_t place_of[kDescriptorsMax];

// nullptr: none of ours.
Listener* FindListener(int fd);
inline Listener* Find(int fd) {
  if (!any_listener || static_cast<unsigned>(fd) >= kDescriptorsMax) return nullptr;
  return __atomic_load_n(&place_of[fd], __ATOMIC_ACQUIRE) == 0 ? nullptr : FindListener(fd);
}

// `fd` listens now; joins the launcher if this process has not yet.
void Remember(int fd, bool blocking);
// `copy` is another descriptor of what `fd` is.
void Copied(int fd, int copy);
// The program lets `fd` go.
void Forget(int fd);
// The program's epoll_ctl() on a listener of ours; -1 with errno.
int Register(Listener& listener, int epoll_fd, int operation, int fd, epoll_event* event);
// A listener of ours is in this epoll set.
bool IsRegistered(int epoll_fd);

// A child of vfork() or of a bare clone(): it shares our memory, or knows nothing of what is in it. What it closes
// there is not closed here.
bool Elsewhere();

bool Closed();
void SetClosed(bool closed);
// Readable when what may be accepted from has changed; -1.
int WakeFd();
void EmptyWake();
// What may be accepted from in the listener's place, besides itself; nothing while closed.
int Sources(const Listener& listener, pollfd* out, int room);

// The library's thread and connection, once for each process that listens.
void Join();
void PrepareFork();
void AfterForkInParent();
void AfterForkInChild();

}  // namespace uc::exec

#endif  // CORE_EXEC_PRELOAD_LISTENERS_H_
