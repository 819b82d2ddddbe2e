#include "tools/logs/source.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "core/base/check.h"

namespace uc::tools {
namespace {

constexpr int kPipeBytes = 256 << 10;  // as the FIFOs have (core/coordinator/worker_output.cc)

}  // namespace

Peeker::Peeker() : buffer_(kBytesMax, '\0') {
  int ends[2];
  UC_CHECK(pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0);
  reading_.Reset(ends[0]);
  writing_.Reset(ends[1]);
  fcntl(writing_.get(), F_SETPIPE_SZ, kPipeBytes);  // with less, a look shows less
}

absl::string_view Peeker::Look(int fifo) {
  ssize_t copied;
  do {
    copied = tee(fifo, writing_.get(), buffer_.size(), SPLICE_F_NONBLOCK);
  } while (copied < 0 && errno == EINTR);
  size_t size = 0;
  while (copied > 0 && size < static_cast<size_t>(copied)) {
    const ssize_t got = read(reading_.get(), buffer_.data() + size, copied - size);
    if (got < 0 && errno == EINTR) continue;
    UC_CHECK(got > 0);
    size += static_cast<size_t>(got);
  }
  return absl::string_view(buffer_.data(), size);
}

std::unique_ptr<Source> Source::Open(const std::string& folder, absl::string_view name) {
  std::unique_ptr<Source> source(new Source);
  source->name_ = std::string(name);
  source->stream_ = absl::EndsWith(name, ".err") ? Stream::kErr : Stream::kOut;
  if (!absl::ConsumeSuffix(&name, ".out") && !absl::ConsumeSuffix(&name, ".err")) return nullptr;
  const std::pair<absl::string_view, absl::string_view> parts =
      absl::StrSplit(name, absl::MaxSplits('-', 1));
  uint32_t generation = 0;
  if (!absl::SimpleAtoi(parts.first, &source->slot_) ||
      !absl::SimpleAtoi(parts.second, &generation)) {
    return nullptr;
  }
  source->fd_.Reset(open(absl::StrCat(folder, "/", source->name_).c_str(),
                         O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW));
  return source->fd_.valid() ? std::move(source) : nullptr;
}

// By read(2), not by splice(2): where there is enough, a signal does not end it in the middle (fs/pipe.c, pipe_read).
void Source::Take(size_t size) {
  char taken[16 << 10];
  while (size > 0) {
    const ssize_t got = read(fd_.get(), taken, std::min(size, sizeof(taken)));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return;
    size -= static_cast<size_t>(got);
  }
}

size_t Source::Waiting() const {
  int waiting = 0;
  return ioctl(fd_.get(), FIONREAD, &waiting) == 0 ? static_cast<size_t>(waiting) : 0;
}

// For a moment: a writer of our own would hide the end of the worker's.
Fd Source::OpenWriter() const {
  return Fd(
      open(absl::StrCat("/proc/self/fd/", fd_.get()).c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC));
}

void Source::AskForEnd() const { OpenWriter().Reset(); }

bool Source::Stuck(size_t shown) const {
  if (Waiting() > shown) return true;
  const Fd writer = OpenWriter();
  pollfd watch = {writer.get(), POLLOUT, 0};
  return writer.valid() && poll(&watch, 1, 0) == 0;
}

}  // namespace uc::tools
