// Output: what a connection still has to send, bytes and ranges of files, in order.
//
// Bytes leave by an inline non-blocking send, all that is queued in one call; files by sendfile, never
// through user space. Nothing here is known to the kernel beyond the call, so a connection can end at any
// moment. Refused: a SEND in the ring for the rest of a short send: a poll for POLLOUT and one more inline
// send keep no memory in flight, and only peers that read slowly pay for it.
#ifndef CORE_WORKER_OUTPUT_H_
#define CORE_WORKER_OUTPUT_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/fd.h"

namespace uc::worker {

class Output {
 public:
  // Bytes to be sent after all else. Append to it as you like.
  std::string& tail() { return tail_; }
  void AddFile(Fd fd, uint64_t offset, uint64_t length);
  // These bytes after all else, from where they are: what the socket takes of them goes at once, at most `share` bytes
  // with what is queued, and only the rest is copied. Errors are left to Flush(). Adds to *sent.
  void AddLarge(int socket, std::string_view bytes, size_t share, uint64_t* sent);

  enum class Result {
    kEmpty,    // everything has been handed to the kernel
    kBlocked,  // the peer reads slowly: come again on POLLOUT
    kYield,    // the share of one turn is used: come again soon
    kBroken,   // the peer is gone, or a file became shorter than promised
  };
  // Sends what the socket takes, at most `share` bytes. Adds to *sent.
  Result Flush(int socket, size_t share, uint64_t* sent);

  bool empty() const { return segments_.empty() && tail_.size() == tail_sent_; }
  uint64_t bytes() const;  // queued; files included
  // Bytes of memory that are queued: what back-pressure is about.
  size_t memory_bytes() const { return segment_memory_ + tail_.size() - tail_sent_; }
  // Ranges of files (and bytes before them) that are queued; each file costs a descriptor, so whoever queues one
  // sees to it that there is none yet.
  size_t segments() const { return segments_.size(); }
  void Clear();
  // Gives the memory of an empty tail back.
  void Release() { std::string().swap(tail_); }
  // Lends a large buffer for one turn, so that idle connections own none.
  void SwapTail(std::string& buffer) { tail_.swap(buffer); }

 private:
  struct Segment {
    std::string bytes;
    Fd file;
    uint64_t offset = 0;  // in `bytes` or in `file`
    uint64_t left = 0;
  };
  Result FlushSegment(int socket, Segment& segment, size_t* share, uint64_t* sent);
  Result FlushTail(int socket, size_t* share, uint64_t* sent);

  std::vector<Segment> segments_;  // older than tail_
  std::string tail_;
  size_t tail_sent_ = 0;
  size_t segment_memory_ = 0;
};

}  // namespace uc::worker

#endif  // CORE_WORKER_OUTPUT_H_
