// NotifySocket: where a program says READY=1 as to systemd (sd_notify(3)), in NOTIFY_SOCKET.
//
// An abstract socket: it is in no folder, so nothing is left behind however its worker ends. Its name is no secret
// (/proc/net/unix shows it), and the protocol has no room for one: what counts is who has sent a packet, which the
// kernel says with each (SCM_CREDENTIALS, unix(7)). Only the program's user is heard, not even root. Others can fill the
// queue; it is read as fast as they do, and their packets are dropped.
//
// Refused: a path in a folder of that user, which stays when its worker is killed.
#ifndef CORE_EXEC_NOTIFY_SOCKET_H_
#define CORE_EXEC_NOTIFY_SOCKET_H_

#include <sys/types.h>

#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "core/base/fd.h"

namespace uc::exec {

class NotifySocket {
 public:
  static constexpr int kPacketsMax = 64;  // heard at one time

  // For a program of `user`. ResourceExhausted: there is no socket for it.
  static absl::StatusOr<NotifySocket> Open(uid_t user);

  int fd() const { return fd_.get(); }
  // "@NAME", as NOTIFY_SOCKET has it.
  const std::string& name() const { return name_; }
  // When fd() is readable: READY=1 was among what the user said, of kPacketsMax packets at most.
  bool HeardReady() const;

 private:
  NotifySocket(uid_t user, std::string name, Fd fd)
      : user_(user), name_(std::move(name)), fd_(std::move(fd)) {}
  uid_t user_;
  std::string name_;
  Fd fd_;
};

}  // namespace uc::exec

#endif  // CORE_EXEC_NOTIFY_SOCKET_H_
