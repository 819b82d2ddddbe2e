// FileCache: small files of a document root, kept in memory as long as they are what is on the disk.
//
// A kept file costs one fstatat a request in place of open, fstat, sendfile and close. It is used only if that
// finds the same inode with the same size and times; a file whose last change is too young for its time stamp
// to tell the next one (a second) is not kept yet. Bounded in bytes; when it is full it begins anew, which is
// rare and keeps no history.
// Refused: trusting an entry for some seconds (nginx's open_file_cache), which serves what is no longer there.
#ifndef CORE_APP_FILE_CACHE_H_
#define CORE_APP_FILE_CACHE_H_

#include <sys/stat.h>

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"

namespace uc::app {

class FileCache {
 public:
  struct File {
    std::string bytes;
    absl::Time modified;
    std::string etag;
    // What it was when it was read.
    uint64_t device = 0;
    uint64_t inode = 0;
    int64_t modified_ns = 0;
    int64_t changed_ns = 0;
  };

  // The file at this path below `root`, if it is kept and still the same.
  const File* Find(int root, const std::string& relative);
  // Keeps what `fd` is, if it is small and its last change is some time ago; `now` is the wall clock.
  void Keep(const std::string& relative, int fd, const std::string& etag, absl::Time now);

 private:
  static constexpr size_t kFileBytesMax = 32 * 1024;  // larger ones are sendfile's
  static constexpr size_t kBytesMax = 8 * 1024 * 1024;

  absl::flat_hash_map<std::string, File> files_;
  size_t bytes_ = 0;
};

}  // namespace uc::app

#endif  // CORE_APP_FILE_CACHE_H_
