// LogFolder: the folder of one log file, held by descriptor, and what may be done to the file in it.
//
// Root often writes logs into folders that a program's user can change. So the way to the folder is walked part by part
// from "/", and each part is looked at after it was opened:
//
//   a folder that can be changed by    rights               an existing file is taken if it is
//   root and us alone                  ours                 regular with one link; a FIFO or a character device
//   a group, or everyone (sticky)      ours                 the same, and it is ours or root's
//   everyone (not sticky)              refused
//   another user, and we are root      that user's, for     regular with one link, and it is that user's or root's
//                                      all that is below
//   another user, and we are not root  ours                 regular with one link, and it is ours or root's
//
// The last part is never a symbolic link. Links to folders are followed where root's or our own rights put them there, and
// with another user's rights: then they lead where that user could go. After that nothing goes by path: the file is
// opened, renamed and emptied below the descriptor. Left to a group that may write to a folder: it can move another file
// of ours there. (Refused: to give up our rights for good in the log writer; each file may lie in another user's folder.)
#ifndef CORE_BASE_LOG_FOLDER_H_
#define CORE_BASE_LOG_FOLDER_H_

#include <sys/stat.h>

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/base/fd.h"
#include "core/base/file_rights.h"

namespace uc {

class LogFolder {
 public:
  enum class Missing { kIsAnError, kIsMade };

  // Of the file at `path`, which is absolute. Missing folders are made for us alone, with the rights of the walk.
  // PermissionDenied and the like: one line without the path of the file.
  static absl::StatusOr<LogFolder> Open(const std::string& path, Missing missing);
  LogFolder(LogFolder&&) = default;
  LogFolder& operator=(LogFolder&&) = default;

  // The file, for appending; made (mode 0600) if it is missing. Never waits.
  absl::StatusOr<Fd> OpenFile() const;
  // To be read: FILE (0), FILE.1, FILE.2 and so on.
  absl::StatusOr<Fd> OpenToRead(int number) const;
  // FILE becomes FILE.1, that one FILE.2, up to `files`. False: FILE is still there.
  bool Rotate(int files) const;
  // Empties the file and removes FILE.1, FILE.2 and so on. NotFound: there is no file.
  absl::Status Empty() const;
  // The name still stands for the open file.
  bool Names(const struct stat& file) const;

 private:
  // Who besides root and us can change the folder.
  enum class ChangedBy { kNobodyElse, kOthers };

  LogFolder() = default;
  absl::Status Walk(const std::string& path, Missing missing);
  absl::Status Enter(const std::string& part, Missing missing, std::string* link);
  absl::Status LookAt(const struct stat& folder);
  absl::StatusOr<Fd> OpenWith(const std::string& name, int flags) const;
  absl::Status Check(const Fd& file) const;
  std::string Old(int number) const;

  Fd folder_;
  FileRights rights_;
  ChangedBy changed_by_ = ChangedBy::kNobodyElse;
  std::string name_;
};

}  // namespace uc

#endif  // CORE_BASE_LOG_FOLDER_H_
