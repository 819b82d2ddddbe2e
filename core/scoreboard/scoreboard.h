// Scoreboard: the file and its mappings, for its three kinds of users.
#ifndef CORE_SCOREBOARD_SCOREBOARD_H_
#define CORE_SCOREBOARD_SCOREBOARD_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/base/fd.h"
#include "core/scoreboard/layout.h"

namespace uc::scoreboard {

// Of the second file: `path` with an ending.
std::string ReportsPath(const std::string& path);

class Scoreboard {
 public:
  // The coordinator's: creates both files anew (mode 0600, written beside and renamed into place so that no reader sees
  // half of one), full size reserved: a full disk is an error here, never a SIGBUS later.
  static absl::StatusOr<Scoreboard> Create(const std::string& path);
  // A coordinator's that comes after another: the files that are there, read-write. NotFound, FailedPrecondition (another
  // version, or damaged), PermissionDenied (another user's, or others may write it). Reports that were cut short get their
  // length back; where there are none that are to be trusted they are made anew (reports_trouble()); a fold that the dead
  // one left half done is declared over.
  static absl::StatusOr<Scoreboard> OpenAgain(const std::string& path);
  // A reader's: NotFound (no such cluster), FailedPrecondition (another version, says which), PermissionDenied as above.
  // Reports that are missing or were cut short read as zeros.
  static absl::StatusOr<Scoreboard> OpenReadOnly(const std::string& path);
  // The same of files that are open; `path` is for what is said. `reports` may be invalid: there are none.
  static absl::StatusOr<Scoreboard> OpenReadOnly(Fd fd, Fd reports, const std::string& path);

  Scoreboard(Scoreboard&&) noexcept;
  Scoreboard& operator=(Scoreboard&&) noexcept;
  ~Scoreboard();

  Layout& layout() { return *layout_; }
  const Layout& layout() const { return *layout_; }
  const Fd& fd() const { return fd_; }
  // What workers are given.
  const Fd& reports_fd() const { return reports_; }
  // Why the reports were made anew, in words; empty: they were not. Who has the former ones goes on writing into them.
  const std::string& reports_trouble() const { return reports_trouble_; }
  // Gives files that were cut short their length back, filled with zeros; true: one was. (Whoever meets the hole does the
  // same: truncation.h.) The files are open for writing.
  bool Lengthen();

 private:
  Scoreboard(Fd fd, Fd reports, Layout* layout)
      : fd_(std::move(fd)), reports_(std::move(reports)), layout_(layout) {}
  static absl::StatusOr<Scoreboard> Map(Fd fd, Fd reports, int protection, const std::string& path);
  Fd fd_;
  Fd reports_;  // invalid: a reader's, where there are none
  Layout* layout_ = nullptr;
  std::string reports_trouble_;
};

// A worker's: the reports only.
class ReportsMapping {
 public:
  // Maps the inherited descriptor read-write. FailedPrecondition for another version.
  static absl::StatusOr<ReportsMapping> Attach(Fd fd);

  ReportsMapping(ReportsMapping&&) noexcept;
  ReportsMapping& operator=(ReportsMapping&&) = delete;
  ~ReportsMapping();

  Report& row(uint32_t row) { return reports_->rows[row]; }
  // For a coordinator that comes after the one that gave it.
  const Fd& fd() const { return fd_; }

 private:
  ReportsMapping(Fd fd, Reports* reports) : fd_(std::move(fd)), reports_(reports) {}
  Fd fd_;  // gives the file its length back (truncation.h)
  Reports* reports_;
};

// A coordinator's look into reports that workers go on writing into, while another file has the name.
class FormerReports {
 public:
  // A worker's word: the descriptor may be anything. nullopt: they are the board's own. FailedPrecondition: it is no file
  // of reports that a coordinator of this user has made where the board lies. No other file system is asked anything: it
  // could keep us waiting.
  static absl::StatusOr<std::optional<FormerReports>> Open(Fd fd, const Scoreboard& board);
  // The board's own, which are about to lose their place.
  static absl::StatusOr<FormerReports> Of(const Scoreboard& board);

  FormerReports(FormerReports&&) noexcept;
  FormerReports& operator=(FormerReports&&) noexcept;
  ~FormerReports();

  const Report& row(uint32_t row) const { return reports_->rows[row]; }
  bool IsSameFile(const FormerReports& other) const;

 private:
  static absl::StatusOr<FormerReports> Map(Fd fd);
  FormerReports(Fd fd, const Reports* reports) : fd_(std::move(fd)), reports_(reports) {}
  Fd fd_;
  const Reports* reports_ = nullptr;
};

// What ReportsHead has to say, written where it is not so; true: it was not.
bool Stamp(ReportsHead& head);

// Counters as plain numbers.
struct Totals {
  uint64_t accepted = 0, closed = 0, requests = 0, bytes_in = 0, bytes_out = 0;
  uint64_t taken_over = 0, handed_over = 0;
  uint64_t responses_5xx = 0, bad_requests = 0, accept_errors = 0;
  std::vector<uint64_t> latency;  // kLatencyBuckets
};
Totals Read(const Counters& counters);
// Open connections of one worker. Its counters change meanwhile: off by one at worst, never below 0.
uint32_t OpenConnections(const Counters& counters);
// Departed and present workers together; consistent across folds (fold_sequence).
Totals ReadTotals(const Layout& layout);
// By the coordinator when a worker is gone: adds its counters to the departed ones, zeroes and frees the row.
void FoldAndFree(Layout& layout, uint32_t row);

// One writer only: no locked instruction.
inline void Add(std::atomic<uint64_t>& counter, uint64_t amount) {
  counter.store(counter.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
}

// Copies text with its NUL, cut to fit; readers get it back with GetText.
void SetText(char* field, size_t size, absl::string_view text);
absl::string_view GetText(const char* field, size_t size);

}  // namespace uc::scoreboard

#endif  // CORE_SCOREBOARD_SCOREBOARD_H_
