#include "core/front/private_listener.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "core/exec/preload/site_name.h"
#include "core/exec/shared_folder.h"

namespace uc::front {
namespace {

absl::Status Error(absl::string_view what) {
  return absl::ErrnoToStatus(errno, absl::StrCat("the program's private socket: ", what));
}

// A folder that nobody else can enter, for as long as the socket has a name.
class ShortLivedFolder {
 public:
  ShortLivedFolder() {
    for (const std::string& place : exec::SharedPlaces()) {
      path_ = absl::StrCat(place, "/uring-cluster-site-XXXXXX");
      if (mkdtemp(path_.data()) == nullptr) continue;
      fd_.Reset(open(path_.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
      if (fd_.valid()) return;
      rmdir(path_.c_str());
    }
  }
  ~ShortLivedFolder() {
    if (fd_.valid()) rmdir(path_.c_str());
  }
  ShortLivedFolder(const ShortLivedFolder&) = delete;
  ShortLivedFolder& operator=(const ShortLivedFolder&) = delete;
  const Fd& fd() const { return fd_; }

 private:
  std::string path_;
  Fd fd_;
};

}  // namespace

bool PrivateListener::IsShutDown() const {
  pollfd watch = {socket_.get(), POLLRDHUP, 0};
  return poll(&watch, 1, 0) == 1 && (watch.revents & POLLRDHUP) != 0;
}

absl::StatusOr<PrivateListener> PrivateListener::Make(const net::Address& site) {
  const ShortLivedFolder folder;
  if (!folder.fd().valid()) return Error("no folder for it");
  Fd listener(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!listener.valid()) return Error("socket");
  char name[exec::kSiteNameBytes] = {};
  exec::WriteSiteName(site.get(), name);
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  // Below the descriptor: the path is short, whatever the folder's is.
  const std::string path = absl::StrCat("/proc/self/fd/", folder.fd().get(), "/", name);
  if (path.size() >= sizeof(address.sun_path)) {
    errno = ENAMETOOLONG;
    return Error(path);
  }
  memcpy(address.sun_path, path.data(), path.size());
  if (bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    return Error("bind");
  }
  Fd at(openat(folder.fd().get(), name, O_PATH | O_NOFOLLOW | O_CLOEXEC));
  const int error = errno;
  unlinkat(folder.fd().get(), name, 0);
  errno = error;
  if (!at.valid()) return Error("open");
  return PrivateListener(site, std::move(listener), std::move(at));
}

}  // namespace uc::front
