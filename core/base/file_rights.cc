#include "core/base/file_rights.h"

#include <grp.h>
#include <pwd.h>
#include <sys/fsuid.h>
#include <unistd.h>

#include "core/base/check.h"

namespace uc {
namespace {

constexpr gid_t kGroupOfNobody = 65534;

bool IsFileUser(uid_t user) { return setfsuid(static_cast<uid_t>(-1)) == static_cast<int>(user); }
bool IsFileGroup(gid_t group) {
  return setfsgid(static_cast<gid_t>(-1)) == static_cast<int>(group);
}

}  // namespace

FileRights::FileRights() : user_(geteuid()), group_(getegid()) {}

FileRights FileRights::Of(uid_t user) {
  const passwd* const account = getpwuid(user);
  return FileRights(user, account != nullptr ? account->pw_gid : kGroupOfNobody);
}

FileRights::Scope::Scope(const FileRights& rights) : ours_(rights.ours_) {
  if (ours_) return;
  const int count = getgroups(0, nullptr);
  UC_CHECK(count >= 0);
  groups_.resize(static_cast<size_t>(count));
  UC_CHECK(getgroups(count, groups_.data()) == count);
  ok_ = setgroups(0, nullptr) == 0;
  if (!ok_) return;
  setfsgid(rights.group_);
  setfsuid(rights.user_);
  ok_ = IsFileUser(rights.user_) && IsFileGroup(rights.group_);
}

FileRights::Scope::~Scope() {
  if (ours_) return;
  setfsuid(geteuid());
  setfsgid(getegid());
  UC_CHECK(IsFileUser(geteuid()) && IsFileGroup(getegid()));
  // Refused where it was refused at first.
  UC_CHECK(setgroups(groups_.size(), groups_.data()) == 0 || !ok_);
}

}  // namespace uc
