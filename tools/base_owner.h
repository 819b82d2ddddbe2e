// Whose clusters lie in a base directory, and what this process may do there.
//
// An ordinary user speaks to clusters of its own only. Root may speak to anybody's: for that the process becomes the
// base's owner, for good, before it reads or writes anything there. The real and saved ids change as well: with the
// effective id alone a recorded pid of root's could still be signalled (kill(2) looks at the real id), and a way back to
// root would lie in a process that works with somebody else's files. Refused: chown of what was made as root, by path or
// by descriptor. Root starts nothing in a folder of a user: words and environment recorded there would run as root.
#ifndef TOOLS_BASE_OWNER_H_
#define TOOLS_BASE_OWNER_H_

#include <sys/types.h>

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace uc::tools {

enum class Purpose {
  kSpeak,  // look at clusters, command those that run
  kStart,  // run what is recorded there, or record something to be run
};
enum class Acting {
  kAsOurselves,
  kAsOwner,  // we were root, and are the base's owner from now on
};

// Before anything below BASE is read. OK where BASE is not there yet. PermissionDenied: it is not to be trusted
// (trusted_folder.h), or root would start something there; one line, with the cure.
absl::StatusOr<Acting> EnterBase(const std::string& base, Purpose purpose);

// Why root starts nothing in `path`, which belongs to `owner`, and how it is done.
absl::Status RootStartsNothing(const std::string& path, uid_t owner);

}  // namespace uc::tools

#endif  // TOOLS_BASE_OWNER_H_
