#include "tools/base_owner.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "tools/trusted_folder.h"

namespace uc::tools {
namespace {

// The group "nogroup": of users that no account describes.
constexpr gid_t kNoGroup = 65534;

// With no way back. Nothing else of root's stays: no group, no capability.
absl::Status Become(uid_t uid) {
  const passwd* const user = getpwuid(uid);
  const gid_t gid = user != nullptr ? user->pw_gid : kNoGroup;
  __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  const __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {};
  if (setgroups(0, nullptr) == 0 && setresgid(gid, gid, gid) == 0 &&
      setresuid(uid, uid, uid) == 0 && syscall(SYS_capset, &header, none) == 0) {
    return absl::OkStatus();
  }
  return absl::PermissionDeniedError(absl::StrCat(
      "these clusters belong to user ", uid, ", whose rights cannot be taken: ", strerror(errno),
      "; speak to them as that user"));
}

}  // namespace

absl::StatusOr<Acting> EnterBase(const std::string& base, Purpose purpose) {
  const auto [above, name] = SplitPath(base);
  struct stat status;
  // Who this says it is decides with whose rights all is checked and done, and nothing more: a link is somebody's, too,
  // and is refused below.
  const std::string path = above == "/" ? absl::StrCat("/", name) : absl::StrCat(above, "/", name);
  Acting acting = Acting::kAsOurselves;
  if (geteuid() == 0 && lstat(path.c_str(), &status) == 0 && status.st_uid != 0) {
    if (purpose == Purpose::kStart) return RootStartsNothing(base, status.st_uid);
    if (absl::Status became = Become(status.st_uid); !became.ok()) return became;
    acting = Acting::kAsOwner;
  }
  const absl::Status trusted = TrustedFolder::Open(base).status();
  if (trusted.ok() || absl::IsNotFound(trusted)) return acting;
  return trusted;
}

absl::Status RootStartsNothing(const std::string& path, uid_t owner) {
  const passwd* const user = getpwuid(owner);
  const std::string how = user != nullptr
                              ? absl::StrCat("runuser -u ", user->pw_name, " -- uring-cluster ...")
                              : absl::StrCat("setpriv --reuid=", owner, " --regid=", owner,
                                             " --clear-groups uring-cluster ...");
  return absl::PermissionDeniedError(absl::StrCat(
      path, ": belongs to user ", owner, ", and root starts nothing there; '", how, "' does it"));
}

}  // namespace uc::tools
