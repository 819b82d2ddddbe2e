// HTTP servers in the ways of C: serve accept | fork | threads | poll | inherit
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const char kAnswer[] = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello\n";

// Answers until the client has gone; one request at a time, no pipelining.
static void* serve(void* argument) {
  const int fd = (int)(long)argument;
  char data[4096];
  size_t held = 0;
  for (;;) {
    const ssize_t got = read(fd, data + held, sizeof(data) - 1 - held);
    if (got <= 0) break;
    held += (size_t)got;
    data[held] = 0;
    if (strstr(data, "\r\n\r\n") == NULL) continue;
    held = 0;
    if (write(fd, kAnswer, sizeof(kAnswer) - 1) < 0) break;
  }
  close(fd);
  return NULL;
}

static int open_listener(void) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(8080)};
  if (bind(fd, (struct sockaddr*)&address, sizeof(address)) != 0 || listen(fd, 64) != 0) {
    perror("listen");
    exit(1);
  }
  return fd;
}

int main(int argc, char** argv) {
  const char* way = argc > 1 ? argv[1] : "threads";
  signal(SIGPIPE, SIG_IGN);
  if (strcmp(way, "fork") == 0) signal(SIGCHLD, SIG_IGN);
  const int listener = strcmp(way, "inherit") == 0 ? 3 : open_listener();
  for (;;) {
    if (strcmp(way, "poll") == 0) {
      struct pollfd waits = {.fd = listener, .events = POLLIN};
      poll(&waits, 1, -1);
    }
    const int fd = accept(listener, NULL, NULL);
    if (fd < 0) {
      if (errno == EINTR || errno == EAGAIN || errno == ECONNABORTED) continue;
      perror("accept");
      return 1;
    }
    if (strcmp(way, "fork") == 0) {
      if (fork() == 0) {
        close(listener);
        serve((void*)(long)fd);
        _exit(0);
      }
      close(fd);
    } else {
      pthread_t thread;
      if (pthread_create(&thread, NULL, serve, (void*)(long)fd) != 0)
        close(fd);
      else
        pthread_detach(thread);
    }
  }
}
