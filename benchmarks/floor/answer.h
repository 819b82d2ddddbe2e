// What both floors answer: the bytes of `hello`, with a Date that stands still, once per request.
//
// Requests are counted, not parsed. With a known size (the benchmark gives it) by one division: that is the
// least that any server can do. Without, by their blank lines, so that any client can be used.
#ifndef BENCHMARKS_FLOOR_ANSWER_H_
#define BENCHMARKS_FLOOR_ANSWER_H_

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define ANSWER                              \
  "HTTP/1.1 200 OK\r\n"                     \
  "Date: Mon, 23 Nov 2026 16:11:07 GMT\r\n" \
  "Content-Length: 25\r\n"                  \
  "Content-Type: text/plain\r\n"            \
  "\r\n"                                    \
  "Hello from uring-cluster\n"

enum { kAnswerBytes = sizeof(ANSWER) - 1, kBatchMax = 256, kConnectionsMax = 1 << 17 };

static char answers[kBatchMax * kAnswerBytes];
static size_t request_bytes;               // 0: not known
static unsigned partial[kConnectionsMax];  // by descriptor: bytes of a request that is not complete

static void die(const char* what) {
  perror(what);
  exit(1);
}

// How many requests end in `bytes`.
static size_t count_requests(int fd, const char* bytes, size_t size) {
  if (request_bytes > 0) {
    const size_t seen = partial[fd] + size;
    partial[fd] = (unsigned)(seen % request_bytes);
    return seen / request_bytes;
  }
  size_t count = 0;
  const char* const end = bytes + size;
  for (const char* at = bytes; (at = memmem(at, (size_t)(end - at), "\r\n\r\n", 4)) != NULL;
       at += 4) {
    ++count;
  }
  return count;
}

// One send; a peer that does not read its answers loses its connection. False: it is over.
static int answer(int fd, size_t count) {
  if (count > kBatchMax) return 0;
  const size_t size = count * kAnswerBytes;
  return count == 0 || send(fd, answers, size, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)size;
}

// usage: PORT [REQUEST_BYTES]
static int listen_as_told(int argc, char** argv) {
  if (argc < 2 || argc > 3) {
    fprintf(stderr, "usage: %s PORT [REQUEST_BYTES]\n", argv[0]);
    exit(2);
  }
  if (argc == 3) request_bytes = (size_t)atol(argv[2]);
  for (int i = 0; i < kBatchMax; ++i) memcpy(answers + i * kAnswerBytes, ANSWER, kAnswerBytes);
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  const int on = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));  // inherited by what it accepts
  setsockopt(listener, IPPROTO_TCP, TCP_DEFER_ACCEPT, &on, sizeof(on));
  struct sockaddr_in address = {.sin_family = AF_INET,
                                .sin_port = htons((unsigned short)atoi(argv[1])),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  if (bind(listener, (struct sockaddr*)&address, sizeof(address)) != 0) die("bind");
  if (listen(listener, 4096) != 0) die("listen");
  return listener;
}

#endif  // BENCHMARKS_FLOOR_ANSWER_H_
