// Connections: what this process has accepted and not closed, and which of it is in the middle of a request.
#ifndef CORE_EXEC_PRELOAD_CONNECTIONS_H_
#define CORE_EXEC_PRELOAD_CONNECTIONS_H_

#include <stdint.h>
#include <sys/types.h>

#include "core/exec/preload/protocol.h"

namespace uc::exec {

inline constexpr int kDescriptorsMax = 1 << 16;

enum Connection : uint8_t {
  kNone = 0,
  kAccepted = 1,  // nothing read yet
  kAsked = 2,     // the program has read and not yet written
  kAnswered = 3,
};
extern uint8_t connection_of[kDescriptorsMax];
extern bool any_connection;

// Where this process counts; nullptr: nowhere.
void SetLife(Life* life);
void BeatLife();

void Opened(int fd);
void Ended(int fd);
void ForgetConnections();  // in a forked child they are its parent's to count
// `busy`: whose request is not answered, or whose answer is not sent.
struct Tally {
  uint32_t open = 0;
  uint32_t busy = 0;
};
Tally CountConnections();

inline ssize_t Read(int fd, ssize_t size) {
  if (size > 0 && static_cast<unsigned>(fd) < kDescriptorsMax && connection_of[fd] != kNone) {
    connection_of[fd] = kAsked;
  }
  return size;
}
// This write begins an answer in a process that is about to leave.
bool IsLastAnswer(int fd);
// Sends it; an HTTP one with `Connection: close`, so that the client comes back elsewhere. As sendmsg(2).
ssize_t WriteLastAnswer(int fd, const msghdr* message, int flags);

inline ssize_t Wrote(int fd, ssize_t size) {
  if (size > 0 && static_cast<unsigned>(fd) < kDescriptorsMax && connection_of[fd] != kNone) {
    connection_of[fd] = kAnswered;
  }
  return size;
}

}  // namespace uc::exec

#endif  // CORE_EXEC_PRELOAD_CONNECTIONS_H_
