// Source: the FIFO into which one worker writes one of its streams, as the log writer reads it: what waits there is
// looked at first, and taken away only after it has been written. So the log writer's death loses nothing: what it has not
// taken is there for the next one.
#ifndef TOOLS_LOGS_SOURCE_H_
#define TOOLS_LOGS_SOURCE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "core/base/fd.h"
#include "tools/logs/log_plan.h"

namespace uc::tools {

// A copy of what waits in a FIFO goes through a pipe of ours (tee(2)): the kernel has no other way to look without taking.
class Peeker {
 public:
  static constexpr size_t kBytesMax = 64 << 10;

  Peeker();
  // At most kBytesMax bytes from the beginning of `fifo`, valid until the next call. Empty: there are none.
  absl::string_view Look(int fifo);

 private:
  Fd reading_;
  Fd writing_;
  std::string buffer_;
};

class Source {
 public:
  // "3-17.err" below `folder`. Null: no name of a worker's FIFO, or it cannot be opened.
  static std::unique_ptr<Source> Open(const std::string& folder, absl::string_view name);

  const std::string& name() const { return name_; }
  uint32_t slot() const { return slot_; }
  Stream stream() const { return stream_; }
  int fd() const { return fd_.get(); }

  absl::string_view Look(Peeker& peeker) const { return peeker.Look(fd_.get()); }
  // Takes away so many bytes that Look has shown.
  void Take(size_t size);
  // So many bytes are there.
  size_t Waiting() const;
  // Nothing more will be shown behind `shown` bytes before some are taken: the writer waits for room, or there is more
  // than a look can show.
  bool Stuck(size_t shown) const;
  // Polls say from now on that it has ended, if it has no writer: of one that never had any since we opened it, the
  // kernel says nothing (pipe_poll() of Linux).
  void AskForEnd() const;
  // The beginning of the line that comes next was written already.
  bool torn() const { return torn_; }
  void set_torn(bool torn) { torn_ = torn; }

 private:
  Source() = default;
  Fd OpenWriter() const;

  std::string name_;
  uint32_t slot_ = 0;
  Stream stream_ = Stream::kOut;
  Fd fd_;
  bool torn_ = false;
};

}  // namespace uc::tools

#endif  // TOOLS_LOGS_SOURCE_H_
