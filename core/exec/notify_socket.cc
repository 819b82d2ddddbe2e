#include "core/exec/notify_socket.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <optional>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

namespace uc::exec {
namespace {

constexpr char kFolderBegin[] = "notify-";
constexpr char kSocket[] = "socket";
constexpr int kAttempts = 8;

// What launchers that were killed have left. Whatever else a program has put there keeps its folder.
void RemoveForgotten(const std::string& shared) {
  DIR* const entries = opendir(shared.c_str());
  if (entries == nullptr) return;
  while (const dirent* entry = readdir(entries)) {
    if (!absl::StartsWith(entry->d_name, kFolderBegin)) continue;
    const Fd folder(openat(dirfd(entries), entry->d_name,
                           O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    if (!folder.valid() || flock(folder.get(), LOCK_EX | LOCK_NB) != 0) continue;
    unlinkat(folder.get(), kSocket, 0);
    unlinkat(dirfd(entries), entry->d_name, AT_REMOVEDIR);
  }
  closedir(entries);
}

struct Made {
  std::string path;  // of the socket
  Fd socket, folder;
};

// Ours alone until both are the user's. nullopt, with errno: it has failed; or another launcher took the folder for
// forgotten, in the moment before it was locked.
std::optional<Made> MakeIn(const std::string& shared, uid_t user, gid_t group) {
  std::string folder = absl::StrCat(shared, "/", kFolderBegin, "XXXXXX");
  if (mkdtemp(folder.data()) == nullptr) return std::nullopt;
  Made made = {absl::StrCat(folder, "/", kSocket),
               Fd(socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)),
               Fd(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC))};
  sockaddr_un name = {};
  name.sun_family = AF_UNIX;
  if (made.path.size() >= sizeof(name.sun_path)) {
    rmdir(folder.c_str());
    errno = ENAMETOOLONG;
    return std::nullopt;
  }
  made.path.copy(name.sun_path, sizeof(name.sun_path));
  if (made.socket.valid() && made.folder.valid() &&
      flock(made.folder.get(), LOCK_EX | LOCK_NB) == 0 &&
      bind(made.socket.get(), reinterpret_cast<const sockaddr*>(&name), sizeof(name)) == 0 &&
      chmod(made.path.c_str(), 0600) == 0 && lchown(made.path.c_str(), user, group) == 0 &&
      fchown(made.folder.get(), user, group) == 0) {
    return made;
  }
  const int error = errno;
  unlink(made.path.c_str());
  rmdir(folder.c_str());
  errno = error;
  return std::nullopt;
}

}  // namespace

absl::StatusOr<NotifySocket> NotifySocket::Open(uid_t user, gid_t group,
                                                const std::vector<std::string>& folders) {
  int error = ENOENT;
  for (const std::string& place : folders) {
    const std::optional<std::string> shared = SharedFolder(place);
    if (!shared.has_value()) continue;
    RemoveForgotten(*shared);
    for (int i = 0; i < kAttempts; ++i) {
      std::optional<Made> made = MakeIn(*shared, user, group);
      if (made.has_value()) {
        return NotifySocket(std::move(made->path), std::move(made->socket),
                            std::move(made->folder));
      }
      error = errno;
      if (error != ENOENT && error != EWOULDBLOCK) break;
    }
  }
  return absl::FailedPreconditionError(
      absl::StrCat("the socket for READY=1 can be made nowhere: ", absl::StrJoin(folders, ", "),
                   ": ", strerror(error), "; one of them must be writable"));
}

NotifySocket::~NotifySocket() {
  if (!folder_.valid()) return;
  unlinkat(folder_.get(), kSocket, 0);
  rmdir(path_.substr(0, path_.rfind('/')).c_str());
}

bool NotifySocket::HeardReady() const {
  bool ready = false;
  for (int i = 0; i < kPacketsMax; ++i) {
    char text[4096];
    iovec part = {text, sizeof(text)};
    alignas(cmsghdr) char control[256];
    msghdr header = {};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    header.msg_control = control;
    header.msg_controllen = sizeof(control);
    const ssize_t size = recvmsg(fd_.get(), &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (size < 0) return ready;
    for (cmsghdr* one = CMSG_FIRSTHDR(&header); one != nullptr; one = CMSG_NXTHDR(&header, one)) {
      // sd_notify can send descriptors: we keep none
      if (one->cmsg_level != SOL_SOCKET || one->cmsg_type != SCM_RIGHTS) continue;
      const size_t count = (one->cmsg_len - CMSG_LEN(0)) / sizeof(int);
      for (size_t j = 0; j < count; ++j) {
        int fd;
        memcpy(&fd, CMSG_DATA(one) + j * sizeof(int), sizeof(fd));
        close(fd);
      }
    }
    for (const absl::string_view line :
         absl::StrSplit(absl::string_view(text, static_cast<size_t>(size)), '\n')) {
      ready |= line == "READY=1";
    }
  }
  return ready;
}

}  // namespace uc::exec
