#include "core/scoreboard/scoreboard.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <new>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "core/base/check.h"
#include "core/scoreboard/truncation.h"

namespace uc::scoreboard {
namespace {

absl::StatusOr<Layout*> Map(const Fd& fd, int protection, absl::string_view path) {
  void* memory = mmap(nullptr, sizeof(Layout), protection, MAP_SHARED, fd.get(), 0);
  if (memory == MAP_FAILED)
    return absl::ErrnoToStatus(errno, absl::StrCat(path, ": cannot be mapped"));
  GuardMapping(memory, sizeof(Layout), (protection & PROT_WRITE) != 0 ? fd.get() : -1);
  return static_cast<Layout*>(memory);
}

void Unmap(Layout* layout) {
  if (layout == nullptr) return;
  UnguardMapping(layout);
  munmap(layout, sizeof(Layout));
}

absl::Status CheckFile(const Fd& fd, absl::string_view path) {
  struct stat status;
  uint64_t head[2] = {};
  if (fstat(fd.get(), &status) != 0 || pread(fd.get(), head, sizeof(head), 0) != sizeof(head) ||
      head[0] != kMagic) {
    return absl::FailedPreconditionError(
        absl::StrCat(path, ": is not a scoreboard (damaged?), or not ready yet"));
  }
  const uint32_t version = static_cast<uint32_t>(head[1]);
  if (version != kLayoutVersion) {
    return absl::FailedPreconditionError(
        absl::StrCat(path, ": has scoreboard version ", version, ", this program reads version ",
                     kLayoutVersion, "; use the uring-cluster that the cluster was started with"));
  }
  if (static_cast<uint64_t>(status.st_size) != sizeof(Layout)) {
    return absl::FailedPreconditionError(absl::StrCat(path, ": is cut short (damaged)"));
  }
  return absl::OkStatus();
}

void AddAll(const Counters& counters, Totals* totals) {
  const auto load = [](const std::atomic<uint64_t>& counter) {
    return counter.load(std::memory_order_relaxed);
  };
  totals->accepted += load(counters.accepted);
  totals->closed += load(counters.closed);
  totals->taken_over += load(counters.taken_over);
  totals->handed_over += load(counters.handed_over);
  totals->requests += load(counters.requests);
  totals->bytes_in += load(counters.bytes_in);
  totals->bytes_out += load(counters.bytes_out);
  totals->responses_5xx += load(counters.responses_5xx);
  totals->bad_requests += load(counters.bad_requests);
  totals->accept_errors += load(counters.accept_errors);
  for (uint32_t i = 0; i < kLatencyBuckets; ++i) totals->latency[i] += load(counters.latency[i]);
}

void Move(std::atomic<uint64_t>& from, std::atomic<uint64_t>& to) {
  Add(to, from.load(std::memory_order_relaxed));
  from.store(0, std::memory_order_relaxed);
}

}  // namespace

absl::StatusOr<Scoreboard> Scoreboard::Create(const std::string& path) {
  const std::string draft = path + ".new";
  unlink(draft.c_str());
  Fd fd(open(draft.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd.valid()) return absl::ErrnoToStatus(errno, absl::StrCat(path, ": cannot be created"));
  // Reserved now: a store into a hole of a full file system would be a SIGBUS later.
  int error = posix_fallocate(fd.get(), 0, sizeof(Layout));
  if (error != 0) {
    unlink(draft.c_str());
    return absl::ErrnoToStatus(error, absl::StrCat(path, ": no room for ", sizeof(Layout) / 1024,
                                                   " KiB (is the disk full?)"));
  }
  absl::StatusOr<Layout*> layout = Map(fd, PROT_READ | PROT_WRITE, path);
  if (!layout.ok()) {
    unlink(draft.c_str());
    return layout.status();
  }
  Scoreboard board(std::move(fd), *layout);
  Header& header = board.layout().header;
  header.version = kLayoutVersion;
  header.header_bytes = sizeof(Header);
  header.file_bytes = sizeof(Layout);
  header.magic.store(kMagic, std::memory_order_release);
  if (rename(draft.c_str(), path.c_str()) != 0) {
    error = errno;
    unlink(draft.c_str());
    return absl::ErrnoToStatus(error, absl::StrCat(path, ": cannot be created"));
  }
  return board;
}

absl::StatusOr<Scoreboard> Scoreboard::Attach(Fd fd) {
  if (absl::Status status = CheckFile(fd, "scoreboard"); !status.ok()) return status;
  absl::StatusOr<Layout*> layout = Map(fd, PROT_READ | PROT_WRITE, "scoreboard");
  if (!layout.ok()) return layout.status();
  return Scoreboard(std::move(fd), *layout);
}

absl::StatusOr<Scoreboard> Scoreboard::OpenAgain(const std::string& path) {
  Fd fd(open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
  if (!fd.valid()) {
    if (errno == ENOENT) return absl::NotFoundError(absl::StrCat(path, ": no cluster here"));
    return absl::ErrnoToStatus(errno, absl::StrCat(path, ": cannot be opened"));
  }
  if (absl::Status status = CheckFile(fd, path); !status.ok()) return status;
  absl::StatusOr<Layout*> layout = Map(fd, PROT_READ | PROT_WRITE, path);
  if (!layout.ok()) return layout.status();
  std::atomic<uint32_t>& sequence = (*layout)->header.fold_sequence;
  if (sequence.load() % 2 != 0) sequence.fetch_add(1);
  return Scoreboard(std::move(fd), *layout);
}

absl::StatusOr<Scoreboard> Scoreboard::OpenReadOnly(const std::string& path) {
  // O_NONBLOCK: where a FIFO lies, nobody would ever let us in.
  Fd fd(open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC));
  if (!fd.valid()) {
    if (errno == ENOENT) return absl::NotFoundError(absl::StrCat(path, ": no cluster here"));
    return absl::ErrnoToStatus(errno, absl::StrCat(path, ": cannot be read"));
  }
  return OpenReadOnly(std::move(fd), path);
}

absl::StatusOr<Scoreboard> Scoreboard::OpenReadOnly(Fd fd, const std::string& path) {
  if (absl::Status status = CheckFile(fd, path); !status.ok()) return status;
  absl::StatusOr<Layout*> layout = Map(fd, PROT_READ, path);
  if (!layout.ok()) return layout.status();
  return Scoreboard(std::move(fd), *layout);
}

Scoreboard::Scoreboard(Scoreboard&& other) noexcept
    : fd_(std::move(other.fd_)), layout_(std::exchange(other.layout_, nullptr)) {}

Scoreboard& Scoreboard::operator=(Scoreboard&& other) noexcept {
  if (this != &other) {
    Unmap(layout_);
    fd_ = std::move(other.fd_);
    layout_ = std::exchange(other.layout_, nullptr);
  }
  return *this;
}

Scoreboard::~Scoreboard() { Unmap(layout_); }

bool Scoreboard::Lengthen() {
  struct stat status;
  return fstat(fd_.get(), &status) == 0 && status.st_size < static_cast<off_t>(sizeof(Layout)) &&
         ftruncate(fd_.get(), sizeof(Layout)) == 0;
}

uint32_t OpenConnections(const Counters& counters) {
  const auto load = [](const std::atomic<uint64_t>& counter) {
    return static_cast<int64_t>(counter.load(std::memory_order_relaxed));
  };
  const int64_t gone = load(counters.closed) + load(counters.handed_over);
  const int64_t open = load(counters.accepted) + load(counters.taken_over) - gone;
  return static_cast<uint32_t>(std::clamp<int64_t>(open, 0, int64_t{UINT32_MAX}));
}

Totals Read(const Counters& counters) {
  Totals totals;
  totals.latency.resize(kLatencyBuckets);
  AddAll(counters, &totals);
  return totals;
}

Totals ReadTotals(const Layout& layout) {
  // Bounded: a coordinator that died in the middle of a fold would leave the sequence odd for ever.
  constexpr int kTries = 1000;
  for (int tries = 0;; ++tries) {
    const uint32_t before = layout.header.fold_sequence.load(std::memory_order_acquire);
    Totals totals = Read(layout.workers[kDepartedRow].counters);
    for (uint32_t row = 0; row < kWorkerRows; ++row) {
      if (layout.workers[row].state.load(std::memory_order_acquire) == 0) continue;
      AddAll(layout.workers[row].counters, &totals);
    }
    std::atomic_thread_fence(std::memory_order_acquire);
    const uint32_t after = layout.header.fold_sequence.load(std::memory_order_relaxed);
    if ((before == after && before % 2 == 0) || tries == kTries) return totals;
  }
}

void FoldAndFree(Layout& layout, uint32_t row) {
  UC_CHECK(row < kWorkerRows);
  std::atomic<uint32_t>& sequence = layout.header.fold_sequence;
  sequence.store(sequence.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  std::atomic_thread_fence(std::memory_order_release);
  Counters& from = layout.workers[row].counters;
  Counters& to = layout.workers[kDepartedRow].counters;
  Move(from.accepted, to.accepted);
  Move(from.closed, to.closed);
  Move(from.taken_over, to.taken_over);
  Move(from.handed_over, to.handed_over);
  Move(from.requests, to.requests);
  Move(from.bytes_in, to.bytes_in);
  Move(from.bytes_out, to.bytes_out);
  Move(from.responses_5xx, to.responses_5xx);
  Move(from.bad_requests, to.bad_requests);
  Move(from.accept_errors, to.accept_errors);
  for (uint32_t i = 0; i < kLatencyBuckets; ++i) Move(from.latency[i], to.latency[i]);
  WorkerRow& freed = layout.workers[row];
  freed.pid.store(0, std::memory_order_relaxed);
  freed.process_start.store(0, std::memory_order_relaxed);
  freed.heartbeat_ns.store(0, std::memory_order_relaxed);
  freed.in_flight.store(0, std::memory_order_relaxed);
  freed.idle.store(0, std::memory_order_relaxed);
  freed.program_pid.store(0, std::memory_order_relaxed);
  freed.accepting_pid.store(0, std::memory_order_relaxed);
  freed.work_waits.store(0, std::memory_order_relaxed);
  freed.program_start.store(0, std::memory_order_relaxed);
  freed.program_session.store(0, std::memory_order_relaxed);
  freed.state.store(static_cast<uint32_t>(RowState::kFree), std::memory_order_release);
  sequence.store(sequence.load(std::memory_order_relaxed) + 1, std::memory_order_release);
}

void SetText(char* field, size_t size, absl::string_view text) {
  const size_t length = std::min(text.size(), size - 1);
  memcpy(field, text.data(), length);
  memset(field + length, 0, size - length);
}

absl::string_view GetText(const char* field, size_t size) {
  return absl::string_view(field, strnlen(field, size));
}

}  // namespace uc::scoreboard
