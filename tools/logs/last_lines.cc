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
// What has no newline within so many bytes is no line that our log writer has written (LineMaker::kLineMax): a hole, or
// another program's. Only its end is shown, and nothing before it is read.
constexpr off_t kLineMax = 256 << 10;
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

struct Tail {
  std::string text;
  size_t lines = 0;
  off_t end = 0;     // of the file
  bool cut = false;  // the first line is the end of one that is too long
};

// At most `count` lines, from the end backwards.
Tail TailOf(const Fd& file, size_t count) {
  Tail tail;
  struct stat status;
  if (fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode)) return tail;
  std::vector<std::string> blocks;  // the last one first
  size_t newlines = 0;
  off_t begun = 0;  // bytes of the line whose beginning is not found yet
  off_t at = tail.end = status.st_size;
  // A line ends with its newline; the last one perhaps with nothing. So one newline more than lines is enough.
  while (at > 0 && newlines <= count && !tail.cut) {
    const off_t size = std::min(kBlock, at);
    at -= size;
    const std::string& block = blocks.emplace_back(ReadAt(file, at, size));
    newlines += static_cast<size_t>(std::count(block.begin(), block.end(), '\n'));
    const size_t first = block.find('\n');
    begun = first == std::string::npos ? begun + size : static_cast<off_t>(first);
    tail.cut = begun >= kLineMax && at > 0;
  }
  std::string text;
  std::for_each(blocks.rbegin(), blocks.rend(), [&text](const std::string& one) { text += one; });
  size_t begin = text.size();
  for (; tail.lines < count && begin > 0; ++tail.lines) {
    const size_t before = begin < 2 ? std::string::npos : text.rfind('\n', begin - 2);
    begin = before == std::string::npos ? 0 : before + 1;
  }
  tail.text = text.substr(begin);
  return tail;
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
    const Tail tail = TailOf(file, count);
    lines.insert(0, tail.text);
    count -= tail.lines;
    if (!file_.valid()) {
      file_ = std::move(file);
      offset_ = tail.end;
    }
    if (count == 0 || tail.cut) break;
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
