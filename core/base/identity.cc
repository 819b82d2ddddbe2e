#include "core/base/identity.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <signal.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <initializer_list>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "core/base/check.h"

namespace uc {
namespace {

constexpr uint32_t kIdMax =
    UINT32_MAX - 1;  // the last one means "leave it as it is" (setresuid(2))

bool IsNumber(const std::string& text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
}

absl::StatusOr<uint32_t> ToId(const char* flag, const std::string& text) {
  uint32_t id = 0;
  if (absl::SimpleAtoi(text, &id) && id <= kIdMax) return id;
  return absl::InvalidArgumentError(absl::StrCat(flag, "=", text, ": an id is at most ", kIdMax));
}

bool MayChangeIds() {
  __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3] = {};
  if (syscall(SYS_capget, &header, sets) != 0) return false;
  const uint32_t both = CAP_TO_MASK(CAP_SETUID) | CAP_TO_MASK(CAP_SETGID);
  return (sets[0].effective & both) == both;
}

std::vector<gid_t> OwnGroups() {
  std::vector<gid_t> groups(static_cast<size_t>(std::max(0, getgroups(0, nullptr))));
  if (!groups.empty()) {
    groups.resize(static_cast<size_t>(
        std::max(0, getgroups(static_cast<int>(groups.size()), groups.data()))));
  }
  return groups;
}

// Of an account: initgroups(3) without the step that cannot be undone.
std::vector<gid_t> GroupsOf(const std::string& user, gid_t gid) {
  int count = 0;
  getgrouplist(user.c_str(), gid, nullptr, &count);
  std::vector<gid_t> groups(static_cast<size_t>(std::max(count, 1)));
  count = static_cast<int>(groups.size());
  if (getgrouplist(user.c_str(), gid, groups.data(), &count) < 0) return {gid};
  groups.resize(static_cast<size_t>(count));
  return groups;
}

std::string NameOfGroup(gid_t gid) {
  const group* const found = getgrgid(gid);
  return found != nullptr ? found->gr_name : absl::StrCat(gid);
}

absl::StatusOr<gid_t> FindGroup(const std::string& text) {
  if (const group* const found = getgrnam(text.c_str())) return found->gr_gid;
  if (IsNumber(text)) return ToId("--group", text);
  return absl::InvalidArgumentError(absl::StrCat("--group=", text, ": no such group"));
}

absl::StatusOr<Identity> FindUser(const std::string& text, bool group_given) {
  const passwd* account = getpwnam(text.c_str());
  if (account == nullptr && !IsNumber(text)) {
    return absl::InvalidArgumentError(absl::StrCat("--user=", text, ": no such user"));
  }
  Identity identity;
  if (account == nullptr) {
    const absl::StatusOr<uint32_t> id = ToId("--user", text);
    if (!id.ok()) return id.status();
    account = getpwuid(*id);
    identity.uid = *id;
  }
  if (account != nullptr) {
    identity.uid = account->pw_uid;
    identity.gid = account->pw_gid;
    identity.user = account->pw_name;
    identity.home = account->pw_dir;
    return identity;
  }
  identity.user = text;
  identity.home = "/";
  if (identity.uid == geteuid()) identity.gid = getegid();
  if (group_given || identity.uid == geteuid()) return identity;
  return absl::InvalidArgumentError(
      absl::StrCat("--user=", text, ": no account has that id, so --group must say its group"));
}

Identity Ourselves() {
  Identity identity;
  identity.uid = geteuid();
  identity.gid = getegid();
  const passwd* const account = getpwuid(identity.uid);
  identity.user = account != nullptr ? account->pw_name : absl::StrCat(identity.uid);
  identity.home = account != nullptr ? account->pw_dir : "/";
  return identity;
}

void DropBoundingSet() {
  // Without CAP_SETPCAP it is refused; then no_new_privs alone keeps them from coming back with an exec.
  for (int capability = 0; prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; ++capability) {
    prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
  }
}

// To have less is always permitted.
bool ClearCapabilitySets() {
  __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  const __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {};
  return syscall(SYS_capset, &header, none) == 0;
}

bool BeginsWithAny(const std::string& variable, std::initializer_list<absl::string_view> names) {
  return std::any_of(names.begin(), names.end(), [&variable](absl::string_view name) {
    return absl::StartsWith(variable, name);
  });
}

bool IsForAnyUser(const std::string& variable) {
  return BeginsWithAny(variable, {"PATH=", "LANG=", "LC_", "TZ=", "TERM="});
}

bool IsOfTheAccount(const std::string& variable) {
  return BeginsWithAny(variable, {"HOME=", "SHELL=", "USER=", "LOGNAME="});
}

}  // namespace

std::string Identity::ToString() const {
  return absl::StrCat("user ", user, " (id ", uid, "), group ", group, " (id ", gid, ")");
}

absl::StatusOr<std::optional<Identity>> FindIdentity(const std::string& user,
                                                     const std::string& group) {
  if (user.empty() && group.empty()) return std::nullopt;
  absl::StatusOr<Identity> found = user.empty() ? Ourselves() : FindUser(user, !group.empty());
  if (!found.ok()) return found.status();
  if (!group.empty()) {
    const absl::StatusOr<gid_t> gid = FindGroup(group);
    if (!gid.ok()) return gid.status();
    found->gid = *gid;
  }
  const bool ours = found->uid == geteuid() && (group.empty() || found->gid == getegid());
  if (ours) return std::nullopt;
  if (!MayChangeIds()) {
    return absl::PermissionDeniedError(absl::StrCat(
        found->uid != geteuid() ? absl::StrCat("--user=", user) : absl::StrCat("--group=", group),
        ": only root may change to it (CAP_SETUID and CAP_SETGID); this is user id ", geteuid(),
        ", which may start the cluster without that flag"));
  }
  found->group = NameOfGroup(found->gid);
  // Root that changes its group alone has no use for the groups of root.
  found->groups = user.empty() ? std::vector<gid_t>{found->gid} : GroupsOf(found->user, found->gid);
  return std::optional<Identity>(*std::move(found));
}

bool SetIds(const Identity& identity) {
  return setgroups(identity.groups.size(), identity.groups.data()) == 0 &&
         setresgid(identity.gid, identity.gid, identity.gid) == 0 &&
         setresuid(identity.uid, identity.uid, identity.uid) == 0;
}

absl::Status Become(const Identity& identity, ExecGives gives) {
  const bool root = identity.uid == 0;
  if (!root) {
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0);
    if (gives == ExecGives::kNothing) DropBoundingSet();
  }
  const bool ends_here = !root && gives == ExecGives::kNothing;
  if (!SetIds(identity) || (!root && !ClearCapabilitySets()) ||
      (ends_here && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)) {
    return absl::PermissionDeniedError(
        absl::StrCat("cannot become ", identity.ToString(), ": ", strerror(errno)));
  }
  UC_CHECK(root || setresuid(0, 0, 0) != 0);
  return absl::OkStatus();
}

std::vector<std::string> EnvironmentAs(const Identity& identity, std::vector<std::string> inherited,
                                       bool keep) {
  std::erase_if(inherited, [keep](const std::string& one) {
    return IsOfTheAccount(one) || (!keep && !IsForAnyUser(one));
  });
  const passwd* const account = getpwuid(identity.uid);
  inherited.push_back(absl::StrCat("HOME=", identity.home));
  inherited.push_back(absl::StrCat("SHELL=", account != nullptr ? account->pw_shell : "/bin/sh"));
  for (const char* name : {"USER=", "LOGNAME="}) {
    inherited.push_back(absl::StrCat(name, identity.user));
  }
  return inherited;
}

bool KillGroupAs(uid_t user, pid_t group, int signal_number) {
  return KillAs(user, -group, signal_number);
}

bool KillAs(uid_t user, pid_t pid, int signal_number) {
  // The effective id alone decides (kill(2)); with the real and the saved one ours, `user` may not signal or trace us
  // meanwhile. Raw system calls: there is one thread.
  const bool change = geteuid() == 0 && user != 0;
  constexpr auto kKeep = static_cast<uid_t>(-1);
  if (change && syscall(SYS_setresuid, kKeep, user, kKeep) != 0) return false;
  const bool sent = kill(pid, signal_number) == 0;
  const int error = errno;
  if (change) UC_CHECK(syscall(SYS_setresuid, kKeep, uid_t{0}, kKeep) == 0);
  errno = error;
  return sent;
}

// setfsuid(2) takes CAP_DAC_OVERRIDE and its like out of the effective set and puts them back (capabilities(7)).
FileAccessAs::FileAccessAs(const Identity& identity) : groups_(OwnGroups()) {
  UC_CHECK(setgroups(identity.groups.size(), identity.groups.data()) == 0);
  setfsgid(identity.gid);
  setfsuid(identity.uid);
}

FileAccessAs::~FileAccessAs() {
  setfsuid(geteuid());
  setfsgid(getegid());
  UC_CHECK(setgroups(groups_.size(), groups_.data()) == 0);
}

}  // namespace uc
