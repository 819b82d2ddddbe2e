// FileRights: with whose rights files are opened, made, renamed and removed: ours, or those of another user on whose
// behalf root works in that user's folders.
//
// The file-system ids change (setfsuid(2)), not the effective ones: those would let that user send us signals. What
// belongs to root's groups or capabilities on files is gone with them: the kernel takes CAP_DAC_* and CAP_FOWNER away while
// the file-system user is not 0 (capabilities(7)). For processes of one thread: the ids are those of a thread.
#ifndef CORE_BASE_FILE_RIGHTS_H_
#define CORE_BASE_FILE_RIGHTS_H_

#include <sys/types.h>

#include <vector>

namespace uc {

class FileRights {
 public:
  // Ours.
  FileRights();
  // That user's and of its first group, no other: nobody's group where the user has no account.
  static FileRights Of(uid_t user);

  uid_t user() const { return user_; }
  bool ours() const { return ours_; }

  // While it lives, this thread works with these rights.
  class Scope {
   public:
    explicit Scope(const FileRights& rights);
    ~Scope();
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;
    // False: the rights could not be taken (no CAP_SETUID, no CAP_SETGID); do nothing then.
    bool ok() const { return ok_; }

   private:
    const bool ours_;
    bool ok_ = true;
    std::vector<gid_t> groups_;  // what we had
  };

 private:
  FileRights(uid_t user, gid_t group) : user_(user), group_(group), ours_(false) {}

  uid_t user_;
  gid_t group_;
  bool ours_ = true;
};

}  // namespace uc

#endif  // CORE_BASE_FILE_RIGHTS_H_
