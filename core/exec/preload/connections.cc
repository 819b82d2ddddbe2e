#include "core/exec/preload/connections.h"

#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

#include "core/exec/preload/listeners.h"
#include "core/exec/preload/real.h"

namespace uc::exec {

uint8_t connection_of[kDescriptorsMax];
bool any_connection = false;

namespace {

// A client that has connected asks soon, or has nothing to ask.
constexpr uint32_t kFirstAskMs = 500;
// An answer may come in several pieces.
constexpr uint32_t kAnswerPauseMs = 30;
constexpr size_t kPartsMax = 64;  // of one writev

Life* life = nullptr;
int highest = 0;

void Count(uint64_t Life::*counter) {
  Life* const page = __atomic_load_n(&life, __ATOMIC_ACQUIRE);
  if (page != nullptr) __atomic_fetch_add(&(page->*counter), 1, __ATOMIC_RELAXED);
}

// Of "HTTP/1.1 200 OK\r\n": its bytes; 0: this is none, or one that is no last answer (1xx).
size_t StatusLine(const char* text, size_t size) {
  constexpr char kVersion[] = "HTTP/1.";
  constexpr size_t kCodeAt = sizeof("HTTP/1.1 ") - 1;
  if (size <= kCodeAt || memcmp(text, kVersion, sizeof(kVersion) - 1) != 0) return 0;
  if (text[kCodeAt - 1] != ' ' || text[kCodeAt] < '2' || text[kCodeAt] > '5') return 0;
  const auto* const end = static_cast<const char*>(memchr(text, '\n', size));
  return end == nullptr ? 0 : static_cast<size_t>(end - text) + 1;
}

bool IsBusy(int fd, const tcp_info& info) {
  int bytes = 0;
  if (Real_ioctl()(fd, SIOCINQ, &bytes) == 0 && bytes > 0) return true;
  if (Real_ioctl()(fd, SIOCOUTQ, &bytes) == 0 && bytes > 0) return true;
  switch (connection_of[fd]) {
    case kAccepted:
      return info.tcpi_last_data_recv < kFirstAskMs;
    case kAsked:
      return true;
    case kAnswered:
      return info.tcpi_last_data_sent < kAnswerPauseMs;
    default:
      return false;
  }
}

}  // namespace

void SetLife(Life* page) { __atomic_store_n(&life, page, __ATOMIC_RELEASE); }
void BeatLife() { Count(&Life::turns); }

void Opened(int fd) {
  Count(&Life::accepts);
  if (fd >= kDescriptorsMax) return;
  if (connection_of[fd] != kNone) Count(&Life::closes);  // its close went past us
  connection_of[fd] = kAccepted;
  any_connection = true;
  if (fd > highest) highest = fd;
}

void Ended(int fd) {
  if (!any_connection || fd < 0 || fd >= kDescriptorsMax || connection_of[fd] == kNone) return;
  connection_of[fd] = kNone;
  Count(&Life::closes);
}

void ForgetConnections() {
  for (int fd = 0; fd <= highest; ++fd) connection_of[fd] = kNone;
  any_connection = false;
  highest = 0;
}

Tally CountConnections() {
  Tally tally;
  for (int fd = 0; fd <= highest; ++fd) {
    if (connection_of[fd] == kNone) continue;
    tcp_info info = {};
    socklen_t size = sizeof(info);
    // Closed behind us, or its peer has gone.
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) continue;
    if (info.tcpi_state != TCP_ESTABLISHED && info.tcpi_state != TCP_CLOSE_WAIT) continue;
    ++tally.open;
    if (IsBusy(fd, info)) ++tally.busy;
  }
  return tally;
}

bool IsLastAnswer(int fd) {
  return any_connection && static_cast<unsigned>(fd) < kDescriptorsMax &&
         connection_of[fd] == kAsked && Closed();
}

ssize_t WriteLastAnswer(int fd, const msghdr* message, int flags) {
  static char kClose[] = "Connection: close\r\n";
  constexpr size_t kCloseBytes = sizeof(kClose) - 1;
  const iovec none = {nullptr, 0};
  const iovec& first = message->msg_iovlen > 0 ? message->msg_iov[0] : none;
  const char* const text = static_cast<const char*>(first.iov_base);
  const size_t line = StatusLine(text, first.iov_len);
  if (line == 0 || message->msg_iovlen > kPartsMax || message->msg_controllen > 0) {
    return Real_sendmsg()(fd, message, flags);
  }
  iovec parts[kPartsMax + 2] = {{first.iov_base, line},
                                {kClose, kCloseBytes},
                                {const_cast<char*>(text) + line, first.iov_len - line}};
  for (size_t i = 1; i < message->msg_iovlen; ++i) parts[i + 2] = message->msg_iov[i];
  msghdr longer = *message;
  longer.msg_iov = parts;
  longer.msg_iovlen = message->msg_iovlen + 2;
  const ssize_t size = Real_sendmsg()(fd, &longer, flags);
  if (size <= static_cast<ssize_t>(line)) return size;
  const size_t sent = static_cast<size_t>(size);
  if (sent >= line + kCloseBytes) return static_cast<ssize_t>(sent - kCloseBytes);
  // Cut within what the program knows nothing of: the rest of it has to go.
  for (size_t done = sent - line; done < kCloseBytes;) {
    pollfd writable = {fd, POLLOUT, 0};
    Real_poll()(&writable, 1, -1);
    const ssize_t more = Real_send()(fd, kClose + done, kCloseBytes - done, MSG_NOSIGNAL);
    if (more < 0 && errno != EAGAIN && errno != EINTR) break;
    if (more > 0) done += static_cast<size_t>(more);
  }
  return static_cast<ssize_t>(line);
}

}  // namespace uc::exec
