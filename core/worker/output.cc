#include "core/worker/output.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <cstddef>
#include <utility>

namespace uc::worker {
namespace {

constexpr size_t kTailBytesKept =
    256 * 1024;                               // of an answer by value; what is larger is given back
constexpr size_t kSentBytesKept = 64 * 1024;  // before what is still to be sent

// Bytes sent, 0 when the socket takes none now, -1 when the peer is gone.
[[gnu::hot]] ssize_t SendSome(int socket, const char* bytes, size_t size, int flags) {
  for (;;) {
    const ssize_t sent = send(socket, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL | flags);
    if (sent >= 0) return sent;
    if (errno == EINTR) continue;
    return errno == EAGAIN || errno == ENOBUFS ? 0 : -1;
  }
}

// sendfile(2) knows no MSG_DONTWAIT, and a socket that is O_NONBLOCK for good makes io_uring give up where
// it should wait (io_uring: REQ_F_NOWAIT of O_NONBLOCK files): so it is switched for the call.
class NonBlocking {
 public:
  explicit NonBlocking(int fd) : fd_(fd) { fcntl(fd_, F_SETFL, O_RDWR | O_NONBLOCK); }
  ~NonBlocking() { fcntl(fd_, F_SETFL, O_RDWR); }  // what accept4 gave

 private:
  int fd_;
};

ssize_t SendFileSome(int socket, int file, off_t offset, size_t size) {
  for (;;) {
    const ssize_t sent = sendfile(socket, file, &offset, size);
    if (sent > 0) return sent;
    if (sent == 0) return -1;  // the file has become shorter than what was promised
    if (errno == EINTR) continue;
    return errno == EAGAIN ? 0 : -1;
  }
}

}  // namespace

void Output::AddFile(Fd fd, uint64_t offset, uint64_t length) {
  if (length == 0) return;
  if (tail_.size() > tail_sent_) {
    Segment bytes;
    bytes.left = tail_.size() - tail_sent_;
    bytes.offset = tail_sent_;
    bytes.bytes = tail_;
    segment_memory_ += bytes.left;
    segments_.push_back(std::move(bytes));
  }
  tail_.clear();
  tail_sent_ = 0;
  Segment file;
  file.file = std::move(fd);
  file.offset = offset;
  file.left = length;
  segments_.push_back(std::move(file));
}

void Output::AddLarge(int socket, std::string_view bytes, size_t share, uint64_t* sent) {
  const size_t queued = tail_.size() - tail_sent_;
  if (segments_.empty() && queued < share) {
    iovec pieces[] = {{tail_.data() + tail_sent_, queued},
                      {const_cast<char*>(bytes.data()), std::min(bytes.size(), share - queued)}};
    msghdr message = {};
    message.msg_iov = pieces;
    message.msg_iovlen = 2;
    const ssize_t taken = sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (taken > 0) {
      *sent += static_cast<uint64_t>(taken);
      const size_t of_tail = std::min(static_cast<size_t>(taken), queued);
      tail_sent_ += of_tail;
      bytes.remove_prefix(static_cast<size_t>(taken) - of_tail);
    }
  }
  tail_.append(bytes);
}

Output::Result Output::FlushSegment(int socket, Segment& segment, size_t* share, uint64_t* sent) {
  while (segment.left > 0) {
    if (*share == 0) return Result::kYield;
    const size_t size = static_cast<size_t>(std::min<uint64_t>(segment.left, *share));
    ssize_t taken;
    if (segment.file.valid()) {
      taken = SendFileSome(socket, segment.file.get(), static_cast<off_t>(segment.offset), size);
    } else {
      // A segment of bytes stands before a file: the head rides in the file's first packet.
      taken = SendSome(socket, segment.bytes.data() + segment.offset, size, MSG_MORE);
      if (taken > 0) segment_memory_ -= static_cast<size_t>(taken);
    }
    if (taken < 0) return Result::kBroken;
    if (taken == 0) return Result::kBlocked;
    segment.offset += static_cast<uint64_t>(taken);
    segment.left -= static_cast<uint64_t>(taken);
    *share -= static_cast<size_t>(taken);
    *sent += static_cast<uint64_t>(taken);
  }
  return Result::kEmpty;
}

[[gnu::hot]] Output::Result Output::Flush(int socket, size_t share, uint64_t* sent) {
  if (!segments_.empty()) {
    if (share == 0) return Result::kYield;
    const NonBlocking non_blocking(socket);
    size_t done = 0;
    Result result = Result::kEmpty;
    for (; done < segments_.size(); ++done) {
      result = FlushSegment(socket, segments_[done], &share, sent);
      if (result != Result::kEmpty) break;
    }
    segments_.erase(segments_.begin(), segments_.begin() + static_cast<std::ptrdiff_t>(done));
    if (result != Result::kEmpty) return result;
  }
  return FlushTail(socket, &share, sent);
}

[[gnu::hot]] Output::Result Output::FlushTail(int socket, size_t* share, uint64_t* sent) {
  while (tail_sent_ < tail_.size()) {
    const size_t size = std::min(tail_.size() - tail_sent_, *share);
    const ssize_t taken = size > 0 ? SendSome(socket, tail_.data() + tail_sent_, size, 0) : 0;
    if (taken < 0) return Result::kBroken;
    if (taken == 0) {
      // Of an app that writes before all is sent: what was sent must not pile up.
      if (tail_sent_ > kSentBytesKept && tail_sent_ > tail_.size() / 2) {
        tail_.erase(0, std::exchange(tail_sent_, 0));
      }
      return size > 0 ? Result::kBlocked : Result::kYield;
    }
    tail_sent_ += static_cast<size_t>(taken);
    *share -= static_cast<size_t>(taken);
    *sent += static_cast<uint64_t>(taken);
  }
  tail_.clear();
  tail_sent_ = 0;
  if (tail_.capacity() > kTailBytesKept) Release();
  return Result::kEmpty;
}

uint64_t Output::bytes() const {
  uint64_t total = tail_.size() - tail_sent_;
  for (const Segment& segment : segments_) total += segment.left;
  return total;
}

void Output::Clear() {
  segments_.clear();
  tail_.clear();
  tail_sent_ = 0;
  segment_memory_ = 0;
}

}  // namespace uc::worker
