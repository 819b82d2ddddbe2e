// The preload library: makes a program that was written for one process listen on its slot's SO_REUSEPORT
// listener, with no line of it changed.
//
// Between the program and libc it steps in at listen(): the launcher says whether the slot has a listener for this
// address already (then that one is put underneath the program's descriptor) or whether this one becomes it. So the
// listener outlives the program. A thread takes the launcher's orders: stop accepting, accept from another slot's
// listener too. UNIX sockets, UDP, client sockets and everything else pass straight through.
//
// Needs nothing but libc: no libstdc++, no exceptions, no allocation. Refused: stepping in at bind() (a client may
// bind, too), and changing what the program waits with: registrations in its own epoll sets are added to and taken
// back, poll and select get the adopted listeners beside the program's own.
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "core/exec/preload_protocol.h"

#define UC_EXPORT extern "C" __attribute__((visibility("default")))

namespace uc::exec {
namespace {

constexpr int kListenersMax = 32;
constexpr int kRegistrationsMax = 8;  // of one listener in epoll sets
constexpr int kAdoptedMax = 256;
constexpr int kPolledMax = 4096;
constexpr int kDescriptorsMax = 1 << 16;

// --- libc ---

template <typename Function>
Function Next(Function* cached, const char* name) {
  if (*cached == nullptr) *cached = reinterpret_cast<Function>(dlsym(RTLD_NEXT, name));
  return *cached;
}

#define UC_REAL(name)                            \
  decltype(&::name) Real_##name() {              \
    static decltype(&::name) function = nullptr; \
    return Next(&function, #name);               \
  }
UC_REAL(bind)
UC_REAL(listen)
UC_REAL(accept4)
UC_REAL(close)
UC_REAL(poll)
UC_REAL(ppoll)
UC_REAL(select)
UC_REAL(pselect)
UC_REAL(epoll_ctl)
UC_REAL(epoll_wait)
UC_REAL(epoll_pwait)
#undef UC_REAL

// --- What is known of this process ---

struct Registration {
  int epoll_fd;
  epoll_event event;
};

struct Listener {
  int fd = -1;
  bool blocking = false;  // as the program sees it; underneath it never blocks
  sockaddr_storage address;
  Registration registrations[kRegistrationsMax];
  int registered = 0;
};

struct Adopted {
  int fd = -1;
  uint32_t slot = 0;
  int listener = 0;  // whose place it is taken in
};

pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
Listener listeners[kListenersMax];
Adopted adopted[kAdoptedMax];
int adopted_count = 0;  // places in use, with gaps
bool closed = false;
// Of a descriptor: 0, or one more than its place in `listeners`.
uint8_t place_of[kDescriptorsMax];
bool port_was_zero[kDescriptorsMax];
bool any_listener = false;
int wake_fd = -1;                          // readable when what may be accepted from has changed
char door[sizeof(sockaddr_un::sun_path)];  // an abstract name (unix(7)), written with a leading @
Life* life = nullptr;

class Lock {
 public:
  Lock() { pthread_mutex_lock(&mutex); }
  ~Lock() { pthread_mutex_unlock(&mutex); }
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;
};

void Beat() {
  if (life != nullptr) __atomic_fetch_add(&life->turns, 1, __ATOMIC_RELAXED);
}

Listener* Find(int fd) {
  if (!any_listener || fd < 0 || fd >= kDescriptorsMax) return nullptr;
  const uint8_t place = __atomic_load_n(&place_of[fd], __ATOMIC_ACQUIRE);
  return place == 0 ? nullptr : &listeners[place - 1];
}

// --- The launcher ---

bool Send(int fd, const Packet& packet, int descriptor) {
  iovec part = {const_cast<Packet*>(&packet), sizeof(packet)};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr header = {};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  if (descriptor >= 0) {
    header.msg_control = control;
    header.msg_controllen = sizeof(control);
    cmsghdr* rights = CMSG_FIRSTHDR(&header);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(rights), &descriptor, sizeof(int));
  }
  ssize_t size;
  do {
    size = sendmsg(fd, &header, MSG_NOSIGNAL);
  } while (size < 0 && errno == EINTR);
  return size == static_cast<ssize_t>(sizeof(packet));
}

bool Receive(int fd, Packet* packet, int* descriptor) {
  iovec part = {packet, sizeof(*packet)};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
  msghdr header = {};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control;
  header.msg_controllen = sizeof(control);
  ssize_t size;
  do {
    size = recvmsg(fd, &header, MSG_CMSG_CLOEXEC);
  } while (size < 0 && errno == EINTR);
  *descriptor = -1;
  if (size <= 0) return false;
  const cmsghdr* rights = CMSG_FIRSTHDR(&header);
  if (rights != nullptr && rights->cmsg_type == SCM_RIGHTS) {
    memcpy(descriptor, CMSG_DATA(rights), sizeof(int));
  }
  return size == static_cast<ssize_t>(sizeof(*packet)) && packet->version == kProtocolVersion;
}

// Each listener has a connection of its own: the answers to one are never mistaken for the orders of another.
int Connect() {
  const int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  sockaddr_un name = {};
  name.sun_family = AF_UNIX;
  memcpy(name.sun_path, door, sizeof(door));
  name.sun_path[0] = '\0';
  const socklen_t size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + strlen(door));
  if (connect(fd, reinterpret_cast<const sockaddr*>(&name), size) != 0) {
    Real_close()(fd);
    return -1;
  }
  return fd;
}

// --- Orders: on the library's thread ---

void ForEachRegistration(const Listener& listener, int fd, int operation) {
  for (int i = 0; i < listener.registered; ++i) {
    epoll_event event = listener.registrations[i].event;
    Real_epoll_ctl()(listener.registrations[i].epoll_fd, operation, fd, &event);
  }
}

void Wake() {
  const uint64_t one = 1;
  if (wake_fd >= 0) [[maybe_unused]]
    const ssize_t written = write(wake_fd, &one, sizeof(one));
}

void SetClosed(bool value) {
  const Lock lock;
  if (closed == value) return;
  closed = value;
  for (Listener& listener : listeners) {
    if (listener.fd < 0) continue;
    ForEachRegistration(listener, listener.fd, value ? EPOLL_CTL_DEL : EPOLL_CTL_ADD);
    for (int i = 0; i < adopted_count; ++i) {
      if (adopted[i].fd < 0 || &listeners[adopted[i].listener] != &listener) continue;
      ForEachRegistration(listener, adopted[i].fd, value ? EPOLL_CTL_DEL : EPOLL_CTL_ADD);
    }
  }
  Wake();
}

bool SameAddress(const sockaddr_storage& a, const sockaddr_storage& b) {
  if (a.ss_family != b.ss_family) return false;
  if (a.ss_family == AF_INET) {
    const auto& x = reinterpret_cast<const sockaddr_in&>(a);
    const auto& y = reinterpret_cast<const sockaddr_in&>(b);
    return x.sin_port == y.sin_port && x.sin_addr.s_addr == y.sin_addr.s_addr;
  }
  const auto& x = reinterpret_cast<const sockaddr_in6&>(a);
  const auto& y = reinterpret_cast<const sockaddr_in6&>(b);
  return x.sin6_port == y.sin6_port && memcmp(&x.sin6_addr, &y.sin6_addr, sizeof(x.sin6_addr)) == 0;
}

void Adopt(uint32_t slot, const sockaddr_storage& address, int fd) {
  const Lock lock;
  int place = 0;
  while (place < kAdoptedMax && adopted[place].fd >= 0) ++place;
  int listener = 0;
  while (listener < kListenersMax &&
         (listeners[listener].fd < 0 || !SameAddress(listeners[listener].address, address))) {
    ++listener;
  }
  if (place == kAdoptedMax || listener == kListenersMax) {
    Real_close()(fd);
    return;
  }
  adopted[place] = {fd, slot, listener};
  if (place == adopted_count) ++adopted_count;
  if (!closed) ForEachRegistration(listeners[listener], fd, EPOLL_CTL_ADD);
  Wake();
}

void Drop(Adopted& one) {
  ForEachRegistration(listeners[one.listener], one.fd, EPOLL_CTL_DEL);
  Real_close()(one.fd);
  one.fd = -1;
}

void Release(uint32_t slot) {
  const Lock lock;
  for (int i = 0; i < adopted_count; ++i) {
    if (adopted[i].fd >= 0 && adopted[i].slot == slot) Drop(adopted[i]);
  }
  Wake();
}

void* TakeOrders(void* argument) {
  const int fd = static_cast<int>(reinterpret_cast<intptr_t>(argument));
  Packet packet;
  int descriptor = -1;
  while (Receive(fd, &packet, &descriptor)) {
    if (packet.say == Say::kAdopt && descriptor >= 0) {
      Adopt(packet.number, packet.address, descriptor);
      continue;
    }
    if (descriptor >= 0) Real_close()(descriptor);
    if (packet.say == Say::kClose) SetClosed(true);
    if (packet.say == Say::kOpen) SetClosed(false);
    if (packet.say == Say::kRelease) Release(packet.number);
  }
  Real_close()(fd);
  return nullptr;  // the launcher has gone: go on as it is
}

void StartThread(int fd) {
  pthread_t thread;
  sigset_t all, before;
  sigfillset(&all);
  // Signals are the program's own affair, on its own threads.
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  pthread_attr_setstacksize(&attributes, 128 * 1024);
  pthread_create(&thread, &attributes, TakeOrders,
                 reinterpret_cast<void*>(static_cast<intptr_t>(fd)));
  pthread_attr_destroy(&attributes);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

// --- listen() ---

bool IsTcp(int fd) {
  int domain = 0, type = 0, protocol = 0;
  socklen_t size = sizeof(int);
  return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 &&
         (domain == AF_INET || domain == AF_INET6) &&
         getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_STREAM &&
         getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &size) == 0 && protocol == IPPROTO_TCP;
}

in_port_t* PortOf(sockaddr_storage* address) {
  return address->ss_family == AF_INET6 ? &reinterpret_cast<sockaddr_in6*>(address)->sin6_port
                                        : &reinterpret_cast<sockaddr_in*>(address)->sin_port;
}

// Puts `source` underneath the program's descriptor, whose flags stay.
bool PutUnderneath(int source, int fd) {
  const int descriptor_flags = fcntl(fd, F_GETFD);
  const bool done = dup3(source, fd, descriptor_flags & FD_CLOEXEC ? O_CLOEXEC : 0) == fd;
  Real_close()(source);
  return done;
}

// A socket like `fd`, bound to `address`.
int BindAnew(int fd, const sockaddr_storage& address, socklen_t size) {
  const int fresh = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP);
  if (fresh < 0) return -1;
  const int on = 1;
  setsockopt(fresh, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
  setsockopt(fresh, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (address.ss_family == AF_INET6) {
    int only = 0;
    socklen_t option_size = sizeof(only);
    getsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, &option_size);
    setsockopt(fresh, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof(only));
  }
  if (Real_bind()(fresh, reinterpret_cast<const sockaddr*>(&address), size) == 0) return fresh;
  const int error = errno;
  Real_close()(fresh);
  errno = error;
  return -1;
}

void Remember(int fd, bool blocking) {
  const Lock lock;
  for (int place = 0; place < kListenersMax; ++place) {
    Listener& listener = listeners[place];
    if (listener.fd >= 0) continue;
    listener.fd = fd;
    listener.blocking = blocking;
    listener.registered = 0;
    socklen_t size = sizeof(listener.address);
    getsockname(fd, reinterpret_cast<sockaddr*>(&listener.address), &size);
    any_listener = true;
    __atomic_store_n(&place_of[fd], static_cast<uint8_t>(place + 1), __ATOMIC_RELEASE);
    return;
  }
}

// 0, or -1 with errno. `*ours`: the launcher knows this listener now.
int Prepare(int fd, int to_launcher, bool* ours) {
  Packet packet;
  packet.say = Say::kMayListen;
  packet.pid = getpid();
  socklen_t size = sizeof(packet.address);
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&packet.address), &size) != 0) return 0;
  packet.address_bytes = size;
  if (port_was_zero[fd] || *PortOf(&packet.address) == 0) *PortOf(&packet.address) = 0;
  Packet answer;
  int descriptor = -1;
  if (!Send(to_launcher, packet, -1) || !Receive(to_launcher, &answer, &descriptor)) {
    return 0;
  }
  switch (answer.say) {
    case Say::kTakeThis:
      if (descriptor < 0 || !PutUnderneath(descriptor, fd)) return 0;
      *ours = true;
      return 0;
    case Say::kBindThere: {
      if (*PortOf(&packet.address) == 0) {
        const int fresh = BindAnew(fd, answer.address, answer.address_bytes);
        if (fresh < 0 || !PutUnderneath(fresh, fd)) return -1;
      }
      packet.say = Say::kBound;
      packet.address = answer.address;
      packet.address_bytes = answer.address_bytes;
      *ours = Send(to_launcher, packet, fd);
      return 0;
    }
    case Say::kFails:
      errno = static_cast<int>(answer.number);
      return -1;
    default:
      return 0;
  }
}

int Listen(int fd, int backlog) {
  const int to_launcher = Connect();
  // Without a launcher the program is as it would be.
  if (to_launcher < 0) return Real_listen()(fd, backlog);
  bool ours = false;
  const bool blocking = (fcntl(fd, F_GETFL) & O_NONBLOCK) == 0;
  int result = Prepare(fd, to_launcher, &ours);
  if (result == 0) {
    // Several processes accept from it: underneath it must never block.
    if (ours) fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    result = Real_listen()(fd, backlog);
  }
  if (result != 0 || !ours) {
    const int error = errno;
    Real_close()(to_launcher);
    errno = error;
    return result;
  }
  Remember(fd, blocking);
  Packet packet;
  packet.say = Say::kListening;
  packet.pid = getpid();
  socklen_t size = sizeof(packet.address);
  getsockname(fd, reinterpret_cast<sockaddr*>(&packet.address), &size);
  packet.address_bytes = size;
  Send(to_launcher, packet, -1);
  StartThread(to_launcher);
  return 0;
}

void Forget(int fd) {
  Listener* const listener = Find(fd);
  if (listener == nullptr) return;
  const Lock lock;
  __atomic_store_n(&place_of[fd], 0, __ATOMIC_RELEASE);
  const int place = static_cast<int>(listener - listeners);
  for (int i = 0; i < adopted_count; ++i) {
    if (adopted[i].fd >= 0 && adopted[i].listener == place) Drop(adopted[i]);
  }
  ForEachRegistration(*listener, fd,
                      EPOLL_CTL_DEL);  // others hold the socket: it would stay in the set
  listener->fd = -1;
  listener->registered = 0;
}

// --- accept(), poll(), select() ---

// Adds what may be accepted from in the listener's place; returns how many were added.
int Sources(const Listener& listener, pollfd* out, int room) {
  int count = 0;
  if (closed) return 0;
  const int place = static_cast<int>(&listener - listeners);
  for (int i = 0; i < adopted_count && count < room; ++i) {
    if (adopted[i].fd >= 0 && adopted[i].listener == place)
      out[count++] = {adopted[i].fd, POLLIN, 0};
  }
  return count;
}

int TryAccept(Listener& listener, sockaddr* address, socklen_t* size, int flags) {
  pollfd sources[kAdoptedMax];
  int count;
  {
    const Lock lock;
    if (closed) {
      errno = EAGAIN;
      return -1;
    }
    count = Sources(listener, sources, kAdoptedMax);
  }
  int connection = Real_accept4()(listener.fd, address, size, flags);
  for (int i = 0; i < count && connection < 0 && errno == EAGAIN; ++i) {
    connection = Real_accept4()(sources[i].fd, address, size, flags);
    // Released meanwhile.
    if (connection < 0 && (errno == EBADF || errno == EINVAL)) errno = EAGAIN;
  }
  return connection;
}

int Accept(Listener& listener, sockaddr* address, socklen_t* size, int flags) {
  const socklen_t room = size != nullptr ? *size : 0;
  for (;;) {
    Beat();
    const int connection = TryAccept(listener, address, size, flags);
    if (connection >= 0) {
      if (life != nullptr) __atomic_fetch_add(&life->accepts, 1, __ATOMIC_RELAXED);
      return connection;
    }
    if (errno != EAGAIN || !listener.blocking) return -1;
    if (size != nullptr) *size = room;
    pollfd one = {listener.fd, POLLIN, 0};
    if (::poll(&one, 1, -1) < 0) return -1;
  }
}

int64_t NowMs() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000;
}

void EmptyWake() {
  uint64_t count;
  [[maybe_unused]] const ssize_t size = read(wake_fd, &count, sizeof(count));
}

// As ppoll(2) without a time-out's remains: the program's own entries, with a listener's adopted ones behind it.
int PollAll(pollfd* fds, nfds_t count, int64_t timeout_ms, const sigset_t* mask) {
  const int64_t until = timeout_ms < 0 ? INT64_MAX : NowMs() + timeout_ms;
  pollfd all[kPolledMax];
  int owner[kPolledMax];
  for (;;) {
    nfds_t total = count;
    memcpy(all, fds, count * sizeof(pollfd));
    {
      const Lock lock;
      for (nfds_t i = 0; i < count; ++i) {
        const Listener* const listener = Find(fds[i].fd);
        if (listener == nullptr || (fds[i].events & POLLIN) == 0) continue;
        if (closed) all[i].fd = -1;
        const int added = Sources(*listener, all + total, static_cast<int>(kPolledMax - 1 - total));
        for (int j = 0; j < added; ++j) owner[total + static_cast<nfds_t>(j)] = static_cast<int>(i);
        total += static_cast<nfds_t>(added);
      }
    }
    all[total] = {wake_fd, POLLIN, 0};
    const int64_t left = until == INT64_MAX ? -1 : until - NowMs() > 0 ? until - NowMs() : 0;
    const timespec wait = {left / 1000, (left % 1000) * 1'000'000};
    const int ready = Real_ppoll()(all, total + 1, left < 0 ? nullptr : &wait, mask);
    if (ready < 0) return ready;
    if (all[total].revents != 0) EmptyWake();
    for (nfds_t i = 0; i < count; ++i) fds[i].revents = all[i].fd < 0 ? 0 : all[i].revents;
    for (nfds_t i = count; i < total; ++i) {
      if (all[i].revents & POLLIN) fds[owner[i]].revents |= POLLIN;
    }
    int results = 0;
    for (nfds_t i = 0; i < count; ++i) results += fds[i].revents != 0;
    if (results > 0 || ready == 0) return results;
  }
}

bool HasListener(const pollfd* fds, nfds_t count) {
  if (!any_listener || count + kAdoptedMax + 1 > kPolledMax) return false;
  for (nfds_t i = 0; i < count; ++i) {
    if (Find(fds[i].fd) != nullptr) return true;
  }
  return false;
}

int64_t ToMs(const timespec* time) {
  return time == nullptr ? -1
                         : int64_t{time->tv_sec} * 1000 + (time->tv_nsec + 999'999) / 1'000'000;
}

// select(2) by poll(2), when a listener of ours is among them; -2: none is.
int SelectAll(int count, fd_set* in, fd_set* out, fd_set* except, int64_t timeout_ms,
              const sigset_t* mask) {
  if (!any_listener || in == nullptr) return -2;
  pollfd fds[FD_SETSIZE];
  nfds_t used = 0;
  bool found = false;
  for (int fd = 0; fd < count && fd < FD_SETSIZE; ++fd) {
    const short events = static_cast<short>(
        (FD_ISSET(fd, in) ? POLLIN : 0) | (out != nullptr && FD_ISSET(fd, out) ? POLLOUT : 0) |
        (except != nullptr && FD_ISSET(fd, except) ? POLLPRI : 0));
    if (events == 0) continue;
    fds[used++] = {fd, events, 0};
    found |= Find(fd) != nullptr;
  }
  if (!found) return -2;
  const int ready = PollAll(fds, used, timeout_ms, mask);
  if (ready < 0) return ready;
  FD_ZERO(in);
  if (out != nullptr) FD_ZERO(out);
  if (except != nullptr) FD_ZERO(except);
  int results = 0;
  const auto mark = [&results](fd_set* set, const pollfd& entry, short asked, int when) {
    if (set == nullptr || (entry.events & asked) == 0 || (entry.revents & when) == 0) return;
    FD_SET(entry.fd, set);
    ++results;
  };
  for (nfds_t i = 0; i < used; ++i) {
    mark(in, fds[i], POLLIN, POLLIN | POLLHUP | POLLERR);
    mark(out, fds[i], POLLOUT, POLLOUT | POLLERR);
    mark(except, fds[i], POLLPRI, POLLPRI);
  }
  return results;
}

// --- epoll_ctl() ---

void Register(Listener& listener, int epoll_fd, int operation, const epoll_event* event) {
  const Lock lock;
  int place = 0;
  while (place < listener.registered && listener.registrations[place].epoll_fd != epoll_fd) ++place;
  if (operation == EPOLL_CTL_DEL) {
    if (place == listener.registered) return;
    for (int i = 0; i < adopted_count; ++i) {
      if (adopted[i].fd >= 0 && &listeners[adopted[i].listener] == &listener) {
        Real_epoll_ctl()(epoll_fd, EPOLL_CTL_DEL, adopted[i].fd, nullptr);
      }
    }
    listener.registrations[place] = listener.registrations[--listener.registered];
    return;
  }
  if (place == kRegistrationsMax) return;
  listener.registrations[place] = {epoll_fd, *event};
  if (place == listener.registered) ++listener.registered;
  if (closed) return;
  for (int i = 0; i < adopted_count; ++i) {
    if (adopted[i].fd < 0 || &listeners[adopted[i].listener] != &listener) continue;
    epoll_event copy = *event;
    Real_epoll_ctl()(epoll_fd, operation, adopted[i].fd, &copy);
  }
}

// --- Beginning, and fork ---

void BeforeFork() { pthread_mutex_lock(&mutex); }
void AfterFork() { pthread_mutex_unlock(&mutex); }

void MapLife() {
  const char* const number = getenv(kLifeVariable);
  if (number == nullptr) return;
  const int fd = atoi(number);
  void* const page = mmap(nullptr, sizeof(Life), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (page != MAP_FAILED) life = static_cast<Life*>(page);
  Real_close()(fd);
  unsetenv(kLifeVariable);  // the number means nothing to what this program starts
}

__attribute__((constructor)) void Begin() {
  const char* const path = getenv(kDoorVariable);
  if (path == nullptr || path[0] != '@' || strlen(path) >= sizeof(door)) return;
  strcpy(door, path);
  MapLife();
  wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  pthread_atfork(BeforeFork, AfterFork, AfterFork);
}

}  // namespace
}  // namespace uc::exec

// --- Between the program and libc ---

using namespace uc::exec;  // NOLINT: nothing but these functions below

// Asks whether the address may be had: another cluster would share it unnoticed, SO_REUSEPORT being what it is.
static int MayBind(const sockaddr* address, socklen_t size) {
  const int to_launcher = Connect();
  if (to_launcher < 0) return 0;
  Packet packet;
  packet.say = Say::kMayBind;
  packet.pid = getpid();
  packet.address_bytes = size;
  memcpy(&packet.address, address, size);
  Packet answer;
  int descriptor = -1;
  const bool fails = Send(to_launcher, packet, -1) && Receive(to_launcher, &answer, &descriptor) &&
                     answer.say == Say::kFails;
  Real_close()(to_launcher);
  if (!fails) return 0;
  errno = static_cast<int>(answer.number);
  return -1;
}

UC_EXPORT int bind(int fd, const sockaddr* address, socklen_t size) {
  if (door[0] == '\0' || address == nullptr || size > sizeof(sockaddr_storage) || fd < 0 ||
      fd >= kDescriptorsMax || !IsTcp(fd) ||
      (address->sa_family != AF_INET && address->sa_family != AF_INET6)) {
    return Real_bind()(fd, address, size);
  }
  const in_port_t port = address->sa_family == AF_INET6
                             ? reinterpret_cast<const sockaddr_in6*>(address)->sin6_port
                             : reinterpret_cast<const sockaddr_in*>(address)->sin_port;
  port_was_zero[fd] = port == 0;
  const int on = 1;
  // The other slots are bound there, too. A client's port of its own needs no company.
  if (port != 0) {
    if (MayBind(address, size) != 0) return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
  }
  return Real_bind()(fd, address, size);
}

UC_EXPORT int listen(int fd, int backlog) {
  const bool candidate =
      door[0] != '\0' && fd >= 0 && fd < kDescriptorsMax && Find(fd) == nullptr && IsTcp(fd);
  return candidate ? Listen(fd, backlog) : Real_listen()(fd, backlog);
}

UC_EXPORT int accept4(int fd, sockaddr* address, socklen_t* size, int flags) {
  Listener* const listener = Find(fd);
  return listener == nullptr ? Real_accept4()(fd, address, size, flags)
                             : Accept(*listener, address, size, flags);
}

UC_EXPORT int accept(int fd, sockaddr* address, socklen_t* size) {
  return accept4(fd, address, size, 0);
}

UC_EXPORT int close(int fd) {
  Forget(fd);
  return Real_close()(fd);
}

UC_EXPORT int poll(pollfd* fds, nfds_t count, int timeout) {
  Beat();
  if (!HasListener(fds, count)) return Real_poll()(fds, count, timeout);
  return PollAll(fds, count, timeout, nullptr);
}

UC_EXPORT int ppoll(pollfd* fds, nfds_t count, const timespec* timeout, const sigset_t* mask) {
  Beat();
  if (!HasListener(fds, count)) return Real_ppoll()(fds, count, timeout, mask);
  return PollAll(fds, count, ToMs(timeout), mask);
}

UC_EXPORT int select(int count, fd_set* in, fd_set* out, fd_set* except, timeval* timeout) {
  Beat();
  const int64_t timeout_ms =
      timeout == nullptr ? -1 : int64_t{timeout->tv_sec} * 1000 + (timeout->tv_usec + 999) / 1000;
  const int result = SelectAll(count, in, out, except, timeout_ms, nullptr);
  return result == -2 ? Real_select()(count, in, out, except, timeout) : result;
}

UC_EXPORT int pselect(int count, fd_set* in, fd_set* out, fd_set* except, const timespec* timeout,
                      const sigset_t* mask) {
  Beat();
  const int result = SelectAll(count, in, out, except, ToMs(timeout), mask);
  return result == -2 ? Real_pselect()(count, in, out, except, timeout, mask) : result;
}

UC_EXPORT int epoll_ctl(int epoll_fd, int operation, int fd, epoll_event* event) {
  Listener* const listener = Find(fd);
  if (listener == nullptr) return Real_epoll_ctl()(epoll_fd, operation, fd, event);
  // While closed the registration is only remembered.
  const int result = closed ? 0 : Real_epoll_ctl()(epoll_fd, operation, fd, event);
  if (result == 0) Register(*listener, epoll_fd, operation, event);
  return result;
}

UC_EXPORT int epoll_wait(int epoll_fd, epoll_event* events, int count, int timeout) {
  Beat();
  return Real_epoll_wait()(epoll_fd, events, count, timeout);
}

UC_EXPORT int epoll_pwait(int epoll_fd, epoll_event* events, int count, int timeout,
                          const sigset_t* mask) {
  Beat();
  return Real_epoll_pwait()(epoll_fd, events, count, timeout, mask);
}
