// NotifySocket: where a program says READY=1 as to systemd (sd_notify(3)), in NOTIFY_SOCKET.
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
  // `name`: of an abstract socket, behind '@'. Only processes of `user`, our own user or root are heard.
  static absl::StatusOr<NotifySocket> Open(const std::string& name, uid_t user);
  NotifySocket(NotifySocket&&) = default;

  int fd() const { return fd_.get(); }
  const std::string& name() const { return name_; }
  // When fd() is readable: READY=1 was among what was said.
  bool HeardReady() const;

 private:
  NotifySocket(std::string name, Fd fd, uid_t user)
      : name_(std::move(name)), fd_(std::move(fd)), user_(user) {}
  std::string name_;
  Fd fd_;
  uid_t user_;
};

}  // namespace uc::exec

#endif  // CORE_EXEC_NOTIFY_SOCKET_H_
