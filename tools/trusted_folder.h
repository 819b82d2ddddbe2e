// TrustedFolder: a folder of ours that nobody else can change, checked once and held by its descriptor. Whatever lies in
// it was put there by us (or by root), so its content may be believed. All access goes by the descriptor: a folder
// that is put in its place later is not the one that was checked.
//
// Trusted is a folder that belongs to the effective user, is no symbolic link, and that neither group nor others may
// write. The folders on the way to it belong to root or to us and are not open to everybody, or have the sticky bit (as
// /tmp has): nobody else can put another folder in its place, so a coordinator may go on by its path. Links on the way are
// followed where root or we have made them.
//
// Refused: trust in folders on the way that belong to other users. They could exchange the folder at any time; the owner
// of "/" counts as root, because in a user namespace root of the machine appears under another number.
#ifndef TOOLS_TRUSTED_FOLDER_H_
#define TOOLS_TRUSTED_FOLDER_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "core/base/fd.h"

namespace uc::tools {

class TrustedFolder {
 public:
  // NotFound: it is not there. PermissionDenied: it is not to be trusted, or cannot be read; one line that says why, with
  // the cure. Never blocks, whatever lies at `path`.
  static absl::StatusOr<TrustedFolder> Open(const std::string& path);
  // The same, and makes (mode 0700) what is not there: the folder, or also those above it. Each is made below one that was
  // opened and checked, so nothing is made where somebody else's link leads. PermissionDenied says also what cannot be made.
  enum class Making { kFolder, kFoldersAbove };
  static absl::StatusOr<TrustedFolder> Make(const std::string& path, Making making);
  // BASE/NAME: both are checked.
  static absl::StatusOr<TrustedFolder> OpenCluster(const std::string& directory);
  absl::StatusOr<TrustedFolder> OpenBelow(const std::string& name) const;
  absl::StatusOr<TrustedFolder> MakeBelow(const std::string& name) const;

  // Regular files of ours that others may not write; links are not followed. NotFound, PermissionDenied,
  // InvalidArgument (no regular file).
  absl::StatusOr<Fd> OpenFile(const std::string& name, int flags) const;
  // A FIFO of ours, not blocking. Invalid, with errno, if it cannot be opened; ENOTSUP: it is none.
  Fd OpenFifo(const std::string& name, int flags) const;
  // At most the first 64 bytes, without white space around them; "" if there is no such file.
  std::string ReadLine(const std::string& name) const;
  std::vector<std::string> Names() const;
  void RemoveFile(const std::string& name) const;

  // Where it was when it was opened: for what is told to people.
  const std::string& path() const { return path_; }
  // Leads to this very folder, while this object lives: for calls that know paths only (connect(2)).
  std::string pinned_path() const;
  int fd() const { return fd_.get(); }

 private:
  static absl::StatusOr<TrustedFolder> Checked(std::string path, absl::StatusOr<Fd> fd);
  TrustedFolder(std::string path, Fd fd) : path_(std::move(path)), fd_(std::move(fd)) {}
  std::string path_;
  Fd fd_;
};

// BASE and NAME of BASE/NAME; slashes at the end do not count.
std::pair<std::string, std::string> SplitPath(const std::string& path);

}  // namespace uc::tools

#endif  // TOOLS_TRUSTED_FOLDER_H_
