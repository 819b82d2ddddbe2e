// The floor: the least that a server on epoll can do. Edge-triggered, one recv and one send per event, the
// answer a constant, no parsing, no Date, no deadlines, no counters. Nobody can serve HTTP with it: it is
// what the kernel asks for.
#include <sys/epoll.h>
#include <unistd.h>

#include "benchmarks/floor/answer.h"

enum { kEventsMax = 512 };

static void accept_all(int epoll, int listener) {
  for (;;) {
    const int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
    if (fd < 0) return;
    if (fd >= kConnectionsMax) {
      close(fd);
      continue;
    }
    partial[fd] = 0;
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.fd = fd};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) die("epoll_ctl");
  }
}

int main(int argc, char** argv) {
  static char buffer[64 * 1024];
  const int listener = listen_as_told(argc, argv);
  const int epoll = epoll_create1(0);
  struct epoll_event wanted = {.events = EPOLLIN | EPOLLET, .data.fd = listener};
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &wanted) != 0) die("epoll_ctl");
  for (;;) {
    static struct epoll_event events[kEventsMax];
    const int count = epoll_wait(epoll, events, kEventsMax, -1);
    for (int i = 0; i < count; ++i) {
      const int fd = events[i].data.fd;
      if (fd == listener) {
        accept_all(epoll, listener);
        continue;
      }
      // Less than a buffer full: it is empty, and what comes later is a new edge.
      const ssize_t size = recv(fd, buffer, sizeof(buffer), 0);
      if (size <= 0 || !answer(fd, count_requests(fd, buffer, (size_t)size))) close(fd);
    }
  }
}
