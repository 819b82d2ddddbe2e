#include "tools/logs/last_lines.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "core/base/log_folder.h"

namespace uc::tools {
namespace {

constexpr off_t kBlock = 64 << 10;
constexpr int kRotatedMax = 1000;

// FILE (0), FILE.1, FILE.2 and so on.
Fd Open(const std::string& path, int number) {
  const absl::StatusOr<LogFolder> folder = LogFolder::Open(path, LogFolder::Missing::kIsAnError);
  if (!folder.ok()) return Fd();
  absl::StatusOr<Fd> file = folder->OpenToRead(number);
  return file.ok() ? *std::move(file) : Fd();
}

std::string ReadAt(const Fd& file, off_t offset, off_t size) {
  std::string text(static_cast<size_t>(size), '\0');
  size_t have = 0;
  while (have < text.size()) {
    const ssize_t got = pread(file.get(), text.data() + have, text.size() - have,
                              offset + static_cast<off_t>(have));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    have += static_cast<size_t>(got);
  }
  text.resize(have);
  return text;
}

// At most `count` lines; `found` says how many.
std::string TailOf(const Fd& file, size_t count, size_t* found, off_t* end) {
  struct stat status;
  *found = 0;
  *end = 0;
  if (fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode)) return "";
  std::string tail;
  off_t at = *end = status.st_size;
  while (at > 0) {
    const off_t size = std::min(kBlock, at);
    at -= size;
    tail.insert(0, ReadAt(file, at, size));
    // A line ends with its newline; the last one perhaps with nothing.
    size_t lines = static_cast<size_t>(std::count(tail.begin(), tail.end(), '\n'));
    if (!tail.empty() && tail.back() != '\n') ++lines;
    if (lines > count || (at == 0 && lines == count)) break;
  }
  size_t begin = tail.size();
  for (; *found < count && begin > 0; ++*found) {
    const size_t before = begin < 2 ? std::string::npos : tail.rfind('\n', begin - 2);
    begin = before == std::string::npos ? 0 : before + 1;
  }
  return tail.substr(begin);
}

bool SameFile(const struct stat& a, const struct stat& b) {
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

}  // namespace

std::string Follower::LastLines(size_t count) {
  std::string lines;
  struct stat younger = {};
  for (int number = 0; number < kRotatedMax; ++number) {
    Fd file = Open(path_, number);
    struct stat status;
    if (!file.valid() || fstat(file.get(), &status) != 0) {
      if (number > 0) break;
      continue;  // it is just between two names
    }
    if (SameFile(status, younger)) continue;  // renamed while we looked
    younger = status;
    size_t found = 0;
    off_t end = 0;
    lines.insert(0, TailOf(file, count, &found, &end));
    count -= found;
    if (!file_.valid()) {
      file_ = std::move(file);
      offset_ = end;
    }
    if (count == 0) break;
  }
  return lines;
}

void Follower::TakeRest(std::string* text) {
  struct stat status;
  if (fstat(file_.get(), &status) != 0) return;
  if (status.st_size < offset_) offset_ = 0;  // emptied
  const std::string rest = ReadAt(file_, offset_, status.st_size - offset_);
  offset_ += static_cast<off_t>(rest.size());
  text->append(rest);
}

void Follower::TakeRotated(std::string* text) const {
  struct stat ours;
  if (fstat(file_.get(), &ours) != 0) return;
  std::vector<Fd> younger;
  for (int number = 1; number < kRotatedMax; ++number) {
    Fd file = Open(path_, number);
    struct stat status;
    if (!file.valid() || fstat(file.get(), &status) != 0) break;
    if (SameFile(ours, status)) break;
    younger.push_back(std::move(file));
  }
  std::for_each(younger.rbegin(), younger.rend(), [&](const Fd& file) {
    struct stat status;
    if (fstat(file.get(), &status) == 0) text->append(ReadAt(file, 0, status.st_size));
  });
}

std::string Follower::ReadNew() {
  std::string text;
  struct stat ours;
  struct stat named;
  if (file_.valid()) TakeRest(&text);
  if (stat(path_.c_str(), &named) != 0) return text;  // between two names
  if (file_.valid() && fstat(file_.get(), &ours) == 0 && SameFile(ours, named)) return text;
  Fd next = Open(path_, 0);
  if (!next.valid()) return text;
  if (file_.valid()) {
    TakeRest(&text);  // it may have grown before it was renamed
    TakeRotated(&text);
  }
  file_ = std::move(next);
  offset_ = 0;
  TakeRest(&text);
  return text;
}

}  // namespace uc::tools
