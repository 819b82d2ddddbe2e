#include "core/coordinator/board_mirror.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "core/base/log.h"

namespace uc::coordinator {
namespace {

// As many files of reports as there were coordinators, and cleanings, while one worker lived.
constexpr size_t kFormerMax = 16;

// Word by word: others read and write meanwhile.
void CopyWords(const void* from, void* to, size_t bytes) {
  const auto* source = static_cast<const uint64_t*>(from);
  auto* target = static_cast<uint64_t*>(to);
  for (size_t i = 0; i < bytes / sizeof(uint64_t); ++i) {
    __atomic_store_n(&target[i], __atomic_load_n(&source[i], __ATOMIC_RELAXED), __ATOMIC_RELAXED);
  }
}

void Zero(void* target, size_t bytes) {
  auto* words = static_cast<uint64_t*>(target);
  for (size_t i = 0; i < bytes / sizeof(uint64_t); ++i) {
    __atomic_store_n(&words[i], uint64_t{0}, __ATOMIC_RELAXED);
  }
}

static_assert(scoreboard::kBoardBytes % sizeof(uint64_t) == 0);
static_assert(sizeof(scoreboard::Reports) % sizeof(uint64_t) == 0);

static_assert(sizeof(scoreboard::Report) % sizeof(uint64_t) == 0);

static_assert(sizeof(scoreboard::Header) % sizeof(uint64_t) == 0);

bool Same(const char* one, const char* other, size_t bytes) {
  return memcmp(one, other, bytes) == 0;
}

// What only the coordinator changes, and tells of (Keep), is as it was.
bool Sound(const scoreboard::Header& now, const scoreboard::Header& before) {
  return now.magic.load() == before.magic.load() && now.version == before.version &&
         now.header_bytes == before.header_bytes && now.file_bytes == before.file_bytes &&
         now.coordinator_pid.load() == before.coordinator_pid.load() &&
         now.coordinators.load() == before.coordinators.load() &&
         now.started_unix_ns == before.started_unix_ns && now.started_ns == before.started_ns &&
         now.program.load() == before.program.load() &&
         now.program_user.load() == before.program_user.load() &&
         Same(now.name, before.name, sizeof(now.name)) &&
         Same(now.app, before.app, sizeof(now.app)) &&
         Same(now.addresses, before.addresses, sizeof(now.addresses)) &&
         Same(now.mode, before.mode, sizeof(now.mode)) &&
         Same(now.balance, before.balance, sizeof(now.balance)) &&
         Same(now.binary, before.binary, sizeof(now.binary)) &&
         Same(now.command_line, before.command_line, sizeof(now.command_line)) &&
         Same(now.claims, before.claims, sizeof(now.claims));
}

}  // namespace

absl::Status BoardMirror::Move(const std::string& path, const Processes& processes,
                               scoreboard::Scoreboard& board) {
  absl::StatusOr<scoreboard::Scoreboard> fresh = scoreboard::Scoreboard::Create(path);
  if (!fresh.ok()) return fresh.status();
  absl::StatusOr<scoreboard::FormerReports> reports = scoreboard::FormerReports::Of(board);
  if (!reports.ok()) return reports.status();
  Refresh(processes, scoreboard::kSlotsMax, board);
  CopyWords(&board.layout(), &fresh->layout(), scoreboard::kBoardBytes);
  CopyWords(&board.layout().reports, &fresh->layout().reports, sizeof(scoreboard::Reports));
  Former former{*std::move(reports), {}};
  for (const auto& [generation, process] : processes) {
    bool elsewhere = false;
    for (const Former& other : former_) elsewhere |= other.writers.count(generation) > 0;
    if (!elsewhere) former.writers.insert(generation);
  }
  board = *std::move(fresh);
  former_.push_back(std::move(former));
  return absl::OkStatus();
}

void BoardMirror::Follow(policy::WorkerId id, uint32_t row, Fd reports,
                         scoreboard::Scoreboard& board) {
  absl::StatusOr<std::optional<scoreboard::FormerReports>> opened =
      scoreboard::FormerReports::Open(std::move(reports), board);
  if (opened.ok() && !opened->has_value()) return;
  absl::Status status = opened.status();
  if (status.ok()) status = Add(id.generation, **std::move(opened));
  if (status.ok()) return;
  // What lies there is another file's: a heartbeat that never moves would be taken for a hang.
  Zero(&board.layout().reports.rows[row], sizeof(scoreboard::Report));
  LogWarning(absl::StrCat("worker ", id.slot, "/", id.generation, ": ", status.message(),
                          "; until it is replaced it has no figures and is not watched for hangs"));
}

absl::Status BoardMirror::Add(policy::Generation writer, scoreboard::FormerReports reports) {
  const auto known = std::find_if(former_.begin(), former_.end(), [&](const Former& former) {
    return former.reports.IsSameFile(reports);
  });
  if (known != former_.end()) {
    known->writers.insert(writer);
    return absl::OkStatus();
  }
  if (former_.size() == kFormerMax) {
    return absl::ResourceExhaustedError("its reports are in one more file than are followed");
  }
  former_.push_back({std::move(reports), {writer}});
  return absl::OkStatus();
}

void BoardMirror::Keep(const scoreboard::Scoreboard& board) {
  if (header_ != nullptr) CopyWords(&board.layout().header, header_.get(), sizeof(*header_));
}

bool BoardMirror::Heal(const Processes& processes, policy::SlotIndex slots_end,
                       scoreboard::Scoreboard& board) {
  bool healed = board.Lengthen();
  scoreboard::Layout& layout = board.layout();
  scoreboard::Stamp(layout.reports.head);
  if (header_ == nullptr) {
    header_ = std::make_unique<scoreboard::Header>();
    Keep(board);
  } else if (Sound(layout.header, *header_)) {
    Keep(board);
  } else {
    CopyWords(header_.get(), &layout.header, sizeof(*header_));
    Zero(layout.slots, sizeof(layout.slots));
    Zero(&layout.departed, sizeof(layout.departed));
    healed = true;
    LogWarning(
        "the scoreboard was cut short or overwritten; it is set right again, and figures begin at "
        "zero");
  }
  healed |= HealRows(processes, layout);
  for (policy::SlotIndex slot = slots_end; slot < scoreboard::kSlotsMax; ++slot) {
    if (layout.slots[slot].wanted.load(std::memory_order_relaxed) == 0) continue;
    Zero(&layout.slots[slot], sizeof(scoreboard::SlotRow));
    healed = true;
  }
  return healed;
}

bool BoardMirror::HealRows(const Processes& processes, scoreboard::Layout& layout) {
  bool healed = false;
  for (const auto& [generation, process] : processes) {
    scoreboard::WorkerRow& row = layout.workers[process.row];
    const bool placed = row.generation.load() == generation && row.slot.load() == process.id.slot &&
                        row.state.load() != static_cast<uint32_t>(scoreboard::RowState::kFree);
    // Not entered yet: it is about to be.
    const bool named = process.pid <= 0 || row.pid.load() == 0 || row.pid.load() == process.pid;
    if (placed && named) continue;
    if (!placed) OccupyRow(process.id, process.row, layout);
    if (process.pid > 0) EnterProcess(process.pid, row);
    healed = true;
  }
  // A row is taken and given back within one turn: what no process holds here is noise, and would take its place.
  for (uint32_t row = 0; row < scoreboard::kWorkerRows; ++row) {
    const scoreboard::WorkerRow& entry = layout.workers[row];
    if (entry.state.load(std::memory_order_relaxed) == 0) continue;
    const auto holder = processes.find(entry.generation.load());  // set right above
    if (holder != processes.end() && holder->second.row == row) continue;
    scoreboard::FoldAndFree(layout, row);
    healed = true;
  }
  return healed;
}

bool BoardMirror::Refresh(const Processes& processes, policy::SlotIndex slots_end,
                          scoreboard::Scoreboard& board) {
  const bool healed = Heal(processes, slots_end, board);
  for (Former& former : former_) {
    std::erase_if(former.writers, [&](policy::Generation generation) {
      const auto process = processes.find(generation);
      if (process == processes.end()) return true;
      const uint32_t row = process->second.row;
      CopyWords(&former.reports.row(row), &board.layout().reports.rows[row],
                sizeof(scoreboard::Report));
      return false;
    });
  }
  std::erase_if(former_, [](const Former& former) { return former.writers.empty(); });
  return healed;
}

}  // namespace uc::coordinator
