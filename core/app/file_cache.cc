#include "core/app/file_cache.h"

#include <fcntl.h>
#include <unistd.h>

#include <utility>

namespace uc::app {
namespace {

constexpr absl::Duration kSettled = absl::Seconds(1);

int64_t NanosOf(const timespec& time) { return absl::ToUnixNanos(absl::TimeFromTimespec(time)); }

bool IsSame(const FileCache::File& file, const struct stat& facts) {
  return facts.st_ino == file.inode && facts.st_dev == file.device &&
         static_cast<uint64_t>(facts.st_size) == file.bytes.size() && S_ISREG(facts.st_mode) &&
         NanosOf(facts.st_mtim) == file.modified_ns && NanosOf(facts.st_ctim) == file.changed_ns;
}

}  // namespace

const FileCache::File* FileCache::Find(int root, const std::string& relative) {
  const auto found = files_.find(relative);
  if (found == files_.end()) return nullptr;
  struct stat facts;
  // Links may lead elsewhere by now, also out of the root: then it is another inode, and opened anew.
  if (fstatat(root, relative.c_str(), &facts, 0) == 0 && IsSame(found->second, facts)) {
    return &found->second;
  }
  bytes_ -= found->second.bytes.size();
  files_.erase(found);
  return nullptr;
}

void FileCache::Keep(const std::string& relative, int fd, const std::string& etag, absl::Time now) {
  struct stat facts;
  if (fstat(fd, &facts) != 0 || !S_ISREG(facts.st_mode)) return;
  const size_t size = static_cast<size_t>(facts.st_size);
  if (size == 0 || size > kFileBytesMax) return;
  if (now - absl::TimeFromTimespec(facts.st_ctim) < kSettled) return;
  File file;
  file.bytes.resize(size);
  if (pread(fd, file.bytes.data(), size, 0) != static_cast<ssize_t>(size)) return;
  file.modified = absl::TimeFromTimespec(facts.st_mtim);
  file.etag = etag;
  file.device = facts.st_dev;
  file.inode = facts.st_ino;
  file.modified_ns = NanosOf(facts.st_mtim);
  file.changed_ns = NanosOf(facts.st_ctim);
  struct stat after;  // changed while it was read?
  if (fstat(fd, &after) != 0 || !IsSame(file, after)) return;
  if (bytes_ + size > kBytesMax) {
    files_.clear();
    bytes_ = 0;
  }
  const auto [place, is_new] = files_.try_emplace(relative);
  if (!is_new) bytes_ -= place->second.bytes.size();
  place->second = std::move(file);
  bytes_ += size;
}

}  // namespace uc::app
