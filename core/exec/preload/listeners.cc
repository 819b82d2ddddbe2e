#include "core/exec/preload/listeners.h"

#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>

#include "core/exec/preload/real.h"
#include "core/exec/preload/talk.h"

namespace uc::exec {

bool any_listener = false;
uint8_t place_of[kDescriptorsMax];

namespace {

constexpr int kBusyLookMs = 10;
constexpr size_t kStackBytes = 256 * 1024;

struct Adopted {
  int fd = -1;
  uint32_t slot = 0;
  int place = 0;  // of the listener in whose stead
};

pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
Listener listeners[kListenersMax];
Adopted adopted[kAdoptedMax];
int adopted_end = 0;  // places in use, with gaps
bool closed = false;
bool joined = false;
int orders_fd = -1;
const pid_t first_home = getpid();
pid_t home = 0;  // of a forked child, which knows it; 0: first_home
int wake_fd = -1;

int PlaceOf(const Listener& listener) { return static_cast<int>(&listener - listeners); }

// All adopted ones of a listener, into or out of one epoll set.
void ControlAdopted(const Listener& listener, const Registration& registration, int operation) {
  for (int i = 0; i < adopted_end; ++i) {
    if (adopted[i].fd < 0 || adopted[i].place != PlaceOf(listener)) continue;
    epoll_event event = registration.event;
    Real_epoll_ctl()(registration.epoll_fd, operation, adopted[i].fd, &event);
  }
}

void ControlAll(const Listener& listener, int operation) {
  for (int i = 0; i < listener.registered; ++i) {
    const Registration& registration = listener.registrations[i];
    epoll_event event = registration.event;
    Real_epoll_ctl()(registration.epoll_fd, operation, registration.fd, &event);
    ControlAdopted(listener, registration, operation);
  }
}

void Wake() {
  const uint64_t one = 1;
  if (wake_fd >= 0) [[maybe_unused]]
    const ssize_t written = Real_write()(wake_fd, &one, sizeof(one));
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

void Drop(Adopted& one) {
  const Listener& listener = listeners[one.place];
  for (int i = 0; i < listener.registered; ++i) {
    epoll_event event = {};
    Real_epoll_ctl()(listener.registrations[i].epoll_fd, EPOLL_CTL_DEL, one.fd, &event);
  }
  Real_close()(one.fd);
  one.fd = -1;
}

// --- Orders: on the library's thread ---

void Adopt(uint32_t slot, const sockaddr_storage& address, int fd) {
  fd = MoveAway(fd);
  const Lock lock;
  int free = 0;
  while (free < kAdoptedMax && adopted[free].fd >= 0) ++free;
  int place = 0;
  while (place < kListenersMax &&
         (listeners[place].references == 0 || !SameAddress(listeners[place].address, address))) {
    ++place;
  }
  if (free == kAdoptedMax || place == kListenersMax) {
    Real_close()(fd);
    return;
  }
  adopted[free] = {fd, slot, place};
  if (free == adopted_end) ++adopted_end;
  for (int i = 0; !closed && i < listeners[place].registered; ++i) {
    epoll_event event = listeners[place].registrations[i].event;
    Real_epoll_ctl()(listeners[place].registrations[i].epoll_fd, EPOLL_CTL_ADD, fd, &event);
  }
  Wake();
}

void Release(uint32_t slot) {
  const Lock lock;
  for (int i = 0; i < adopted_end; ++i) {
    if (adopted[i].fd >= 0 && adopted[i].slot == slot) Drop(adopted[i]);
  }
  Wake();
}

void TakeLife(int fd) {
  void* const page = mmap(nullptr, sizeof(Life), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (page != MAP_FAILED) SetLife(static_cast<Life*>(page));
  Real_close()(fd);
}

void Obey(const Packet& packet, int descriptor) {
  if (packet.say == Say::kAdopt && descriptor >= 0)
    return Adopt(packet.number, packet.address, descriptor);
  if (packet.say == Say::kLife && descriptor >= 0) return TakeLife(descriptor);
  if (descriptor >= 0) Real_close()(descriptor);
  if (packet.say == Say::kClose) SetClosed(true);
  if (packet.say == Say::kOpen) SetClosed(false);
  if (packet.say == Say::kRelease) Release(packet.number);
}

void* TakeOrders(void* argument) {
  const int fd = static_cast<int>(reinterpret_cast<intptr_t>(argument));
  Tally told;
  bool any_told = false;
  for (;;) {
    pollfd watch = {fd, POLLIN, 0};
    const int ready = Real_poll()(&watch, 1, Closed() ? kBusyLookMs : -1);
    if (ready > 0) {
      Packet packet;
      int descriptor = -1;
      if (!Receive(fd, &packet, &descriptor)) break;
      Obey(packet, descriptor);
    }
    if (!Closed()) {
      any_told = false;
      continue;
    }
    const Tally tally = CountConnections();
    if (any_told && told.open == tally.open && told.busy == tally.busy) continue;
    Packet packet;
    packet.say = Say::kBusy;
    packet.number = tally.busy;
    packet.open = tally.open;
    Send(fd, packet, -1);
    told = tally;
    any_told = true;
  }
  return nullptr;  // the launcher has gone: the program goes on as it is
}

bool StartThread(int fd) {
  pthread_t thread;
  sigset_t all, before;
  sigfillset(&all);
  // Signals are the program's own affair, on its own threads.
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  pthread_attr_setstacksize(&attributes, kStackBytes);
  const int error = pthread_create(&thread, &attributes, TakeOrders,
                                   reinterpret_cast<void*>(static_cast<intptr_t>(fd)));
  pthread_attr_destroy(&attributes);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return error == 0;
}

void TellListening(const sockaddr_storage& address) {
  Packet packet;
  packet.say = Say::kListening;
  packet.address = address;
  packet.address_bytes = address.ss_family == AF_INET6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in);
  Send(orders_fd, packet, -1);
}

}  // namespace

Lock::Lock() { pthread_mutex_lock(&mutex); }
Lock::~Lock() { pthread_mutex_unlock(&mutex); }

Listener* FindListener(int fd) {
  const uint8_t place = __atomic_load_n(&place_of[fd], __ATOMIC_ACQUIRE);
  if (place == 0) return nullptr;
  if (!joined) Join();
  return &listeners[place - 1];
}

void Remember(int fd, bool blocking) {
  sockaddr_storage address = {};
  {
    const Lock lock;
    int place = 0;
    while (place < kListenersMax && listeners[place].references > 0) ++place;
    if (place == kListenersMax) return;
    Listener& listener = listeners[place];
    listener.references = 1;
    listener.blocking = blocking;
    listener.registered = 0;
    socklen_t size = sizeof(listener.address);
    getsockname(fd, reinterpret_cast<sockaddr*>(&listener.address), &size);
    address = listener.address;
    any_listener = true;
    __atomic_store_n(&place_of[fd], static_cast<uint8_t>(place + 1), __ATOMIC_RELEASE);
  }
  if (joined) {
    TellListening(address);
  } else {
    Join();
  }
}

void Join() {
  {
    const Lock lock;
    if (joined) return;
    joined = true;
    orders_fd = Connect();
    if (wake_fd < 0) wake_fd = MoveAway(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  }
  if (orders_fd < 0) return;
  for (const Listener& listener : listeners) {
    if (listener.references > 0) TellListening(listener.address);
  }
  // The first word is where to count: not a connection is to be missed.
  Packet packet;
  int descriptor = -1;
  if (Receive(orders_fd, &packet, &descriptor)) Obey(packet, descriptor);
  StartThread(orders_fd);
}

void Copied(int fd, int copy) {
  if (copy < 0 || copy >= kDescriptorsMax || copy == fd) return;
  Listener* const listener = Find(fd);
  if (listener == nullptr || Elsewhere()) return;
  const Lock lock;
  ++listener->references;
  __atomic_store_n(&place_of[copy], place_of[fd], __ATOMIC_RELEASE);
}

void Forget(int fd) {
  Listener* const listener = Find(fd);
  if (listener == nullptr) return;
  const Lock lock;
  __atomic_store_n(&place_of[fd], 0, __ATOMIC_RELEASE);
  // Others hold the socket: close(2) alone would leave it in the sets (epoll(7), Q6).
  for (int i = 0; i < listener->registered;) {
    Registration& registration = listener->registrations[i];
    if (registration.fd != fd) {
      ++i;
      continue;
    }
    epoll_event event = {};
    if (!closed) Real_epoll_ctl()(registration.epoll_fd, EPOLL_CTL_DEL, fd, &event);
    ControlAdopted(*listener, registration, EPOLL_CTL_DEL);
    registration = listener->registrations[--listener->registered];
  }
  if (--listener->references > 0) return;
  for (int i = 0; i < adopted_end; ++i) {
    if (adopted[i].fd >= 0 && adopted[i].place == PlaceOf(*listener)) Drop(adopted[i]);
  }
}

int Register(Listener& listener, int epoll_fd, int operation, int fd, epoll_event* event) {
  const Lock lock;
  int i = 0;
  while (i < listener.registered &&
         (listener.registrations[i].epoll_fd != epoll_fd || listener.registrations[i].fd != fd)) {
    ++i;
  }
  // While closed the registration is only remembered; what the program would be told is the same.
  if (!closed) {
    const int result = Real_epoll_ctl()(epoll_fd, operation, fd, event);
    if (result != 0) return result;
  } else if (operation == EPOLL_CTL_ADD ? i < listener.registered : i == listener.registered) {
    errno = operation == EPOLL_CTL_ADD ? EEXIST : ENOENT;
    return -1;
  }
  if (operation == EPOLL_CTL_DEL) {
    if (i == listener.registered) return 0;
    ControlAdopted(listener, listener.registrations[i], EPOLL_CTL_DEL);
    listener.registrations[i] = listener.registrations[--listener.registered];
    return 0;
  }
  if (i == kRegistrationsMax) return 0;
  listener.registrations[i] = {epoll_fd, fd, *event};
  if (i == listener.registered) ++listener.registered;
  if (!closed) ControlAdopted(listener, listener.registrations[i], operation);
  return 0;
}

bool IsRegistered(int epoll_fd) {
  for (const Listener& listener : listeners) {
    if (listener.references == 0) continue;
    for (int i = 0; i < listener.registered; ++i) {
      if (listener.registrations[i].epoll_fd == epoll_fd) return true;
    }
  }
  return false;
}

bool Elsewhere() { return getpid() != (home != 0 ? home : first_home); }

bool Closed() { return __atomic_load_n(&closed, __ATOMIC_ACQUIRE); }

void SetClosed(bool value) {
  const Lock lock;
  if (closed == value) return;
  __atomic_store_n(&closed, value, __ATOMIC_RELEASE);
  for (const Listener& listener : listeners) {
    if (listener.references > 0) ControlAll(listener, value ? EPOLL_CTL_DEL : EPOLL_CTL_ADD);
  }
  Wake();
}

int WakeFd() { return wake_fd; }

void EmptyWake() {
  uint64_t count;
  [[maybe_unused]] const ssize_t size = Real_read()(wake_fd, &count, sizeof(count));
}

int Sources(const Listener& listener, pollfd* out, int room) {
  const Lock lock;
  int count = 0;
  if (closed) return 0;
  for (int i = 0; i < adopted_end && count < room; ++i) {
    if (adopted[i].fd >= 0 && adopted[i].place == PlaceOf(listener)) {
      out[count++] = {adopted[i].fd, POLLIN, 0};
    }
  }
  return count;
}

void PrepareFork() { pthread_mutex_lock(&mutex); }
void AfterForkInParent() { pthread_mutex_unlock(&mutex); }

// The thread, its connection and the waking are the parent's; the child joins when it uses a listener.
void AfterForkInChild() {
  pthread_mutex_unlock(&mutex);
  home = getpid();
  if (!joined) return;
  joined = false;
  Real_close()(orders_fd);
  Real_close()(wake_fd);
  orders_fd = wake_fd = -1;
  for (int i = 0; i < adopted_end; ++i) {
    if (adopted[i].fd >= 0) Real_close()(adopted[i].fd);
    adopted[i].fd = -1;
  }
  adopted_end = 0;
  SetLife(nullptr);
  ForgetConnections();
}

}  // namespace uc::exec
