// NotifySocket: where a program says READY=1 as to systemd (sd_notify(3)), in NOTIFY_SOCKET.
//
// The protocol has no room for a secret, and an abstract name is none: /proc/net/unix shows it to every network
// namespace's user. So it is a path in a folder that only the program's user can enter (and root, by its capability to
// go everywhere): whoever can send has shown enough. The folder of a launcher that was killed is removed by the next
// one; a lock on the folder tells whether its launcher lives.
#ifndef CORE_EXEC_NOTIFY_SOCKET_H_
#define CORE_EXEC_NOTIFY_SOCKET_H_

#include <sys/types.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "core/base/fd.h"
#include "core/exec/shared_folder.h"

namespace uc::exec {

class NotifySocket {
 public:
  static constexpr int kPacketsMax = 64;  // heard at one time

  // In the first of `folders` where it can be made. For `user` and its `group`.
  static absl::StatusOr<NotifySocket> Open(
      uid_t user, gid_t group, const std::vector<std::string>& folders = SharedPlaces());
  NotifySocket(NotifySocket&&) = default;
  // Its folder goes with it.
  ~NotifySocket();

  int fd() const { return fd_.get(); }
  const std::string& path() const { return path_; }
  // When fd() is readable: READY=1 was among what was said, of kPacketsMax packets at most.
  bool HeardReady() const;

 private:
  NotifySocket(std::string path, Fd fd, Fd folder)
      : path_(std::move(path)), fd_(std::move(fd)), folder_(std::move(folder)) {}
  std::string path_;
  Fd fd_;
  Fd folder_;  // locked
};

}  // namespace uc::exec

#endif  // CORE_EXEC_NOTIFY_SOCKET_H_
