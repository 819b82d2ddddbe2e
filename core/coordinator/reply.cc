#include "core/coordinator/reply.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"

namespace uc::coordinator {
namespace {

constexpr size_t kTextBytesMax = 2000;  // a line stays below PIPE_BUF: one write is one line

}  // namespace

absl::string_view Name(policy::Outcome outcome) {
  switch (outcome) {
    case policy::Outcome::kDone:
      return "done";
    case policy::Outcome::kFailed:
      return "failed";
    case policy::Outcome::kRefused:
      return "refused";
  }
  return "?";
}

Reply Reply::Open(const std::string& path, DescriptorReserve& reserve) {
  constexpr int kHow = O_WRONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC;
  // ENXIO without a reader (fifo(7)): the asker has gone.
  Fd fd(::open(path.c_str(), kHow));
  if (!fd.valid() && (errno == EMFILE || errno == ENFILE) && reserve.Release()) {
    fd.Reset(::open(path.c_str(), kHow));
  }
  struct stat status;
  if (!fd.valid() || fstat(fd.get(), &status) != 0 || !S_ISFIFO(status.st_mode)) return Reply();
  // From here on the asker cannot withdraw its command; or it has done so already.
  if (flock(fd.get(), LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK) return Reply();
  return Reply(std::move(fd));
}

void Reply::End(policy::Outcome outcome, absl::string_view text) {
  WriteLine(Name(outcome), text);
  fd_.Reset();
}

void Reply::WriteLine(absl::string_view kind, absl::string_view text) {
  if (!fd_.valid()) return;
  std::string line = absl::StrCat(kind, " ", text.substr(0, kTextBytesMax));
  for (char& c : line) {
    if (c == '\n' || c == '\r') c = ' ';
  }
  line.push_back('\n');
  // EPIPE: the asker has gone (SIGPIPE is ignored). EAGAIN: it sleeps on 64 KiB of unread lines.
  if (write(fd_.get(), line.data(), line.size()) < 0) fd_.Reset();
}

}  // namespace uc::coordinator
