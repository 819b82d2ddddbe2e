// Identity: the user and the groups that a worker, or a program, serves as when root starts the cluster, and the way
// there, which leads in one direction only.
//
// Ids are looked up once per process, before anything is given up. Refused: keeping a capability for later (what
// needs root is done before), and changing back and forth with the saved user id.
#ifndef CORE_BASE_IDENTITY_H_
#define CORE_BASE_IDENTITY_H_

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace uc {

struct Identity {
  std::string user;  // the account's name; without an account the number
  std::string home;  // "/" without an account
  std::string group;
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;  // supplementary ones, `gid` among them

  // "user www (id 33), group www-data (id 33)"
  std::string ToString() const;
};

// Names or numbers, as in --user and --group; empty: not given. Without a group it is the account's own with its
// supplementary ones. nullopt: neither is given, or both are what this process is already. InvalidArgument: there is
// no such account; a number without an account needs a group. PermissionDenied: this process may not change.
absl::StatusOr<std::optional<Identity>> FindIdentity(const std::string& user,
                                                     const std::string& group);

// The part of Become() that a child may call between fork and exec: it allocates nothing. False: errno says why.
bool SetIds(const Identity& identity);

// For good: ids and groups are set, and unless the user is root all capabilities go. On failure the process is to end:
// it is neither the one nor the other.
// kNothing: also from the bounding set as far as this is allowed, and no exec gives anything back (no_new_privs).
// kAsAnyUser: a program that this process starts may gain what any program of that user may (sudo).
enum class ExecGives { kNothing, kAsAnyUser };
absl::Status Become(const Identity& identity, ExecGives gives = ExecGives::kNothing);

// What this user inherits of an environment of somebody else ("KEY=VALUE" each): PATH, LANG, LC_*, TZ and TERM, or with
// `keep` all of it; then HOME, SHELL, USER and LOGNAME as the account has them, and no variable of these names twice.
std::vector<std::string> EnvironmentAs(const Identity& identity, std::vector<std::string> inherited,
                                       bool keep);

// Sends a signal to a process group with the rights of `user`: root's reaches no process that `user` could not signal
// itself. False: errno says why. In a process with one thread. Another user id than ours is nothing new to who is not root.
bool KillGroupAs(uid_t user, pid_t group, int signal_number);
// The same to one process.
bool KillAs(uid_t user, pid_t pid, int signal_number);

// While it lives, files are opened and looked at with the rights of `identity`. One at a time, in a process with one
// thread that may change its ids.
class FileAccessAs {
 public:
  explicit FileAccessAs(const Identity& identity);
  ~FileAccessAs();
  FileAccessAs(const FileAccessAs&) = delete;
  FileAccessAs& operator=(const FileAccessAs&) = delete;

 private:
  std::vector<gid_t> groups_;  // those of before
};

}  // namespace uc

#endif  // CORE_BASE_IDENTITY_H_
