#include "core/scoreboard/scoreboard.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "core/base/check.h"
#include "core/base/own_file.h"
#include "core/scoreboard/truncation.h"

namespace uc::scoreboard {
namespace {

constexpr size_t kReportsBytes = sizeof(Reports);

// One file at its place in the layout.
absl::Status MapAt(void* place, size_t bytes, const Fd& fd, int protection,
                   absl::string_view path) {
  if (mmap(place, bytes, protection, MAP_SHARED | MAP_FIXED, fd.get(), 0) == MAP_FAILED) {
    return absl::ErrnoToStatus(errno, absl::StrCat(path, ": cannot be mapped"));
  }
  GuardMapping(place, bytes, (protection & PROT_WRITE) != 0 ? fd.get() : -1);
  return absl::OkStatus();
}

void Unmap(Layout* layout) {
  if (layout == nullptr) return;
  UnguardMapping(layout);
  UnguardMapping(&layout->reports);
  munmap(layout, sizeof(Layout));
}

absl::Status OtherVersion(absl::string_view path, uint32_t version) {
  return absl::FailedPreconditionError(
      absl::StrCat(path, ": has scoreboard version ", version, ", this program reads version ",
                   kLayoutVersion, "; use the uring-cluster that the cluster was started with"));
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
  if (version != kLayoutVersion) return OtherVersion(path, version);
  if (static_cast<uint64_t>(status.st_size) != kBoardBytes) {
    return absl::FailedPreconditionError(absl::StrCat(path, ": is cut short (damaged)"));
  }
  return absl::OkStatus();
}

bool GiveLength(const Fd& fd, size_t bytes) {
  struct stat status;
  return fstat(fd.get(), &status) == 0 && status.st_size < static_cast<off_t>(bytes) &&
         ftruncate(fd.get(), static_cast<off_t>(bytes)) == 0;
}

// By the kernel's word (proc_pid_fdinfo(5)), which asks no file system; "": not known.
std::string MountOf(const Fd& fd) {
  std::ifstream file(absl::StrCat("/proc/self/fdinfo/", fd.get()));
  for (std::string line; std::getline(file, line);) {
    if (line.rfind("mnt_id:", 0) == 0) return line;
  }
  return "";
}

bool SameFile(const Fd& one, const Fd& other) {
  struct stat a, b;
  return fstat(one.get(), &a) == 0 && fstat(other.get(), &b) == 0 && a.st_dev == b.st_dev &&
         a.st_ino == b.st_ino;
}

std::string Draft(const std::string& path) { return path + ".new"; }

// Reserved now: a store into a hole of a full file system would be a SIGBUS later.
absl::StatusOr<Fd> MakeDraft(const std::string& path, size_t bytes) {
  const std::string draft = Draft(path);
  unlink(draft.c_str());
  Fd fd(open(draft.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd.valid()) return absl::ErrnoToStatus(errno, absl::StrCat(path, ": cannot be created"));
  if (const int error = posix_fallocate(fd.get(), 0, static_cast<off_t>(bytes)); error != 0) {
    return absl::ErrnoToStatus(
        error, absl::StrCat(path, ": no room for ", bytes / 1024, " KiB (is the disk full?)"));
  }
  return fd;
}

absl::Status Place(const std::string& path) {
  if (rename(Draft(path).c_str(), path.c_str()) == 0) return absl::OkStatus();
  return absl::ErrnoToStatus(errno, absl::StrCat(path, ": cannot be created"));
}

absl::StatusOr<Fd> Open(const std::string& path, int access) {
  return OpenOwnFile(AT_FDCWD, path, access, path);
}

// Nothing but figures is in them: what cannot be trusted is replaced, not refused.
absl::StatusOr<Fd> MakeReports(const std::string& path) {
  absl::StatusOr<Fd> made = MakeDraft(path, kReportsBytes);
  if (!made.ok()) return made;
  const absl::Status placed = Place(path);
  if (placed.ok()) return made;
  unlink(Draft(path).c_str());
  return placed;
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

std::string ReportsPath(const std::string& path) { return path + ".reports"; }

bool Stamp(ReportsHead& head) {
  if (head.magic.load() == kMagic && head.version.load() == kLayoutVersion) return false;
  head.version.store(kLayoutVersion);
  head.magic.store(kMagic, std::memory_order_release);
  return true;
}

absl::StatusOr<Scoreboard> Scoreboard::Map(Fd fd, Fd reports, int protection,
                                           const std::string& path) {
  void* const memory =
      mmap(nullptr, sizeof(Layout), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) {
    return absl::ErrnoToStatus(errno, absl::StrCat(path, ": cannot be mapped"));
  }
  Scoreboard board(std::move(fd), std::move(reports), static_cast<Layout*>(memory));
  absl::Status status = MapAt(memory, kBoardBytes, board.fd_, protection, path);
  if (status.ok() && board.reports_.valid()) {
    status = MapAt(&board.layout_->reports, kReportsBytes, board.reports_, protection, path);
  } else if (status.ok() && mprotect(&board.layout_->reports, kReportsBytes, PROT_READ) != 0) {
    status = absl::ErrnoToStatus(errno, absl::StrCat(path, ": cannot be mapped"));
  }
  if (!status.ok()) return status;
  return board;
}

absl::StatusOr<Scoreboard> Scoreboard::Create(const std::string& path) {
  const std::string reports_path = ReportsPath(path);
  const auto make = [&]() -> absl::StatusOr<Scoreboard> {
    absl::StatusOr<Fd> fd = MakeDraft(path, kBoardBytes);
    if (!fd.ok()) return fd.status();
    absl::StatusOr<Fd> reports = MakeDraft(reports_path, kReportsBytes);
    if (!reports.ok()) return reports.status();
    absl::StatusOr<Scoreboard> board =
        Map(*std::move(fd), *std::move(reports), PROT_READ | PROT_WRITE, path);
    if (!board.ok()) return board.status();
    Stamp(board->layout().reports.head);
    Header& header = board->layout().header;
    header.version = kLayoutVersion;
    header.header_bytes = sizeof(Header);
    header.file_bytes = kBoardBytes;
    header.magic.store(kMagic, std::memory_order_release);
    // Whoever finds the first file finds the second.
    if (absl::Status status = Place(reports_path); !status.ok()) return status;
    if (absl::Status status = Place(path); !status.ok()) {
      unlink(reports_path.c_str());
      return status;
    }
    return board;
  };
  absl::StatusOr<Scoreboard> board = make();
  if (!board.ok()) {
    unlink(Draft(path).c_str());
    unlink(Draft(reports_path).c_str());
  }
  return board;
}

absl::StatusOr<Scoreboard> Scoreboard::OpenAgain(const std::string& path) {
  absl::StatusOr<Fd> fd = Open(path, O_RDWR);
  if (!fd.ok()) return fd.status();
  if (absl::Status status = CheckFile(*fd, path); !status.ok()) return status;
  absl::StatusOr<Fd> reports = Open(ReportsPath(path), O_RDWR);
  const std::string trouble(reports.status().message());
  if (!reports.ok()) reports = MakeReports(ReportsPath(path));
  if (!reports.ok()) return reports.status();
  GiveLength(*reports, kReportsBytes);
  absl::StatusOr<Scoreboard> board =
      Map(*std::move(fd), *std::move(reports), PROT_READ | PROT_WRITE, path);
  if (!board.ok()) return board.status();
  board->reports_trouble_ = trouble;
  Stamp(board->layout().reports.head);
  std::atomic<uint32_t>& sequence = board->layout().header.fold_sequence;
  if (sequence.load() % 2 != 0) sequence.fetch_add(1);
  return board;
}

absl::StatusOr<Scoreboard> Scoreboard::OpenReadOnly(const std::string& path) {
  absl::StatusOr<Fd> fd = Open(path, O_RDONLY);
  if (!fd.ok()) return fd.status();
  absl::StatusOr<Fd> reports = Open(ReportsPath(path), O_RDONLY);
  if (!reports.ok() && !absl::IsNotFound(reports.status())) return reports.status();
  return OpenReadOnly(*std::move(fd), reports.ok() ? *std::move(reports) : Fd(), path);
}

absl::StatusOr<Scoreboard> Scoreboard::OpenReadOnly(Fd fd, Fd reports, const std::string& path) {
  if (absl::Status status = CheckFile(fd, path); !status.ok()) return status;
  return Map(std::move(fd), std::move(reports), PROT_READ, path);
}

Scoreboard::Scoreboard(Scoreboard&& other) noexcept
    : fd_(std::move(other.fd_)),
      reports_(std::move(other.reports_)),
      layout_(std::exchange(other.layout_, nullptr)),
      reports_trouble_(std::move(other.reports_trouble_)) {}

Scoreboard& Scoreboard::operator=(Scoreboard&& other) noexcept {
  if (this != &other) {
    Unmap(layout_);
    fd_ = std::move(other.fd_);
    reports_ = std::move(other.reports_);
    layout_ = std::exchange(other.layout_, nullptr);
    reports_trouble_ = std::move(other.reports_trouble_);
  }
  return *this;
}

Scoreboard::~Scoreboard() { Unmap(layout_); }

bool Scoreboard::Lengthen() {
  const bool board = GiveLength(fd_, kBoardBytes);
  return GiveLength(reports_, kReportsBytes) || board;
}

absl::StatusOr<ReportsMapping> ReportsMapping::Attach(Fd fd) {
  uint64_t head[2] = {};
  if (pread(fd.get(), head, sizeof(head), 0) != sizeof(head) || head[0] != kMagic) {
    return absl::FailedPreconditionError("scoreboard: is not one (damaged?)");
  }
  const uint32_t version = static_cast<uint32_t>(head[1]);
  if (version != kLayoutVersion) return OtherVersion("scoreboard", version);
  GiveLength(fd, kReportsBytes);
  void* const memory =
      mmap(nullptr, kReportsBytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
  if (memory == MAP_FAILED) return absl::ErrnoToStatus(errno, "scoreboard: cannot be mapped");
  GuardMapping(memory, kReportsBytes, fd.get());
  return ReportsMapping(std::move(fd), static_cast<Reports*>(memory));
}

ReportsMapping::ReportsMapping(ReportsMapping&& other) noexcept
    : fd_(std::move(other.fd_)), reports_(std::exchange(other.reports_, nullptr)) {}

ReportsMapping::~ReportsMapping() {
  if (reports_ == nullptr) return;
  UnguardMapping(reports_);
  munmap(reports_, kReportsBytes);
}

absl::StatusOr<std::optional<FormerReports>> FormerReports::Open(Fd fd, const Scoreboard& board) {
  const auto refuse = [] {
    return absl::FailedPreconditionError("what it reports in is no file that was made here");
  };
  const std::string mount = MountOf(fd);
  if (mount.empty() || mount != MountOf(board.reports_fd())) return refuse();
  if (SameFile(fd, board.reports_fd())) return std::nullopt;
  struct stat status;
  uint64_t head[2] = {};
  if (fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode) || status.st_uid != geteuid() ||
      (status.st_mode & (S_IWGRP | S_IWOTH)) != 0 ||
      pread(fd.get(), head, sizeof(head), 0) != sizeof(head) || head[0] != kMagic ||
      static_cast<uint32_t>(head[1]) != kLayoutVersion) {
    return refuse();
  }
  return Map(std::move(fd));
}

absl::StatusOr<FormerReports> FormerReports::Of(const Scoreboard& board) {
  return Map(board.reports_fd().Duplicate());
}

absl::StatusOr<FormerReports> FormerReports::Map(Fd fd) {
  void* const memory = mmap(nullptr, kReportsBytes, PROT_READ, MAP_SHARED, fd.get(), 0);
  if (memory == MAP_FAILED) {
    return absl::ErrnoToStatus(errno, "what it reports in cannot be mapped");
  }
  GuardMapping(memory, kReportsBytes, fd.get());
  return FormerReports(std::move(fd), static_cast<const Reports*>(memory));
}

FormerReports::FormerReports(FormerReports&& other) noexcept
    : fd_(std::move(other.fd_)), reports_(std::exchange(other.reports_, nullptr)) {}

FormerReports& FormerReports::operator=(FormerReports&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(reports_, other.reports_);
  return *this;
}

FormerReports::~FormerReports() {
  if (reports_ == nullptr) return;
  void* const memory = const_cast<Reports*>(reports_);
  UnguardMapping(memory);
  munmap(memory, kReportsBytes);
}

bool FormerReports::IsSameFile(const FormerReports& other) const {
  return SameFile(fd_, other.fd_);
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
    Totals totals = Read(layout.departed);
    for (uint32_t row = 0; row < kWorkerRows; ++row) {
      if (layout.workers[row].state.load(std::memory_order_acquire) == 0) continue;
      AddAll(layout.reports.rows[row].counters, &totals);
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
  Report& report = layout.reports.rows[row];
  Counters& from = report.counters;
  Counters& to = layout.departed;
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
  report.heartbeat_ns.store(0, std::memory_order_relaxed);
  report.in_flight.store(0, std::memory_order_relaxed);
  report.idle.store(0, std::memory_order_relaxed);
  report.program_pid.store(0, std::memory_order_relaxed);
  report.accepting_pid.store(0, std::memory_order_relaxed);
  report.work_waits.store(0, std::memory_order_relaxed);
  report.program_start.store(0, std::memory_order_relaxed);
  report.program_session.store(0, std::memory_order_relaxed);
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
