// Scoreboard: the file and its mapping, for its three kinds of users.
#ifndef CORE_SCOREBOARD_SCOREBOARD_H_
#define CORE_SCOREBOARD_SCOREBOARD_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/base/fd.h"
#include "core/scoreboard/layout.h"

namespace uc::scoreboard {

class Scoreboard {
 public:
  // The coordinator's: creates `path` anew (mode 0600, written beside and renamed into place so that no
  // reader sees half of one), full size reserved: a full disk is an error here, never a SIGBUS later.
  static absl::StatusOr<Scoreboard> Create(const std::string& path);
  // A coordinator's that comes after another: the file that is there, read-write. NotFound,
  // FailedPrecondition (another version). A fold that the dead one left half done is declared over.
  static absl::StatusOr<Scoreboard> OpenAgain(const std::string& path);
  // A worker's: maps the inherited descriptor read-write. FailedPrecondition for another version.
  static absl::StatusOr<Scoreboard> Attach(Fd fd);
  // A reader's: NotFound (no such cluster), FailedPrecondition (another version, says which).
  static absl::StatusOr<Scoreboard> OpenReadOnly(const std::string& path);
  // The same of a file that is open; `path` is for what is said.
  static absl::StatusOr<Scoreboard> OpenReadOnly(Fd fd, const std::string& path);

  Scoreboard(Scoreboard&&) noexcept;
  Scoreboard& operator=(Scoreboard&&) noexcept;
  ~Scoreboard();

  Layout& layout() { return *layout_; }
  const Layout& layout() const { return *layout_; }
  const Fd& fd() const { return fd_; }
  // Gives a file that was cut short its length back, filled with zeros; true: it was. (Whoever meets the hole does the
  // same: truncation.h.) The file is open for writing.
  bool Lengthen();

 private:
  Scoreboard(Fd fd, Layout* layout) : fd_(std::move(fd)), layout_(layout) {}
  Fd fd_;
  Layout* layout_ = nullptr;
};

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
// By the coordinator when a worker is gone: adds its counters to the departed row, zeroes and frees the row.
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
