#include "core/coordinator/board_mirror.h"

#include <cstddef>
#include <cstdint>
#include <utility>

#include "absl/status/statusor.h"
#include "core/base/log.h"

namespace uc::coordinator {
namespace {

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

// What never changes is as it was, and no text has gone that is always there.
bool Sound(const scoreboard::Header& now, const scoreboard::Header& before) {
  const auto kept = [](const char* text, const char* former) {
    return text[0] != '\0' || former[0] == '\0';
  };
  return now.magic.load() == scoreboard::kMagic && now.version == scoreboard::kLayoutVersion &&
         now.file_bytes == scoreboard::kBoardBytes && now.started_ns == before.started_ns &&
         now.coordinator_pid.load() == before.coordinator_pid.load() &&
         kept(now.name, before.name) && kept(now.app, before.app) && kept(now.mode, before.mode) &&
         kept(now.balance, before.balance) && kept(now.binary, before.binary) &&
         kept(now.command_line, before.command_line);
}

}  // namespace

absl::Status BoardMirror::Move(const std::string& path, const Processes& processes,
                               scoreboard::Scoreboard& board) {
  absl::StatusOr<scoreboard::Scoreboard> fresh = scoreboard::Scoreboard::Create(path);
  if (!fresh.ok()) return fresh.status();
  Refresh(processes, board);
  CopyWords(&board.layout(), &fresh->layout(), scoreboard::kBoardBytes);
  CopyWords(&board.layout().reports, &fresh->layout().reports, sizeof(scoreboard::Reports));
  Former former{std::move(board), {}};
  for (const auto& [generation, process] : processes) {
    bool elsewhere = false;
    for (const Former& other : former_) elsewhere |= other.writers.count(generation) > 0;
    if (!elsewhere) former.writers.insert(generation);
  }
  board = *std::move(fresh);
  former_.push_back(std::move(former));
  return absl::OkStatus();
}

bool BoardMirror::Heal(const Processes& processes, scoreboard::Scoreboard& board) {
  bool healed = board.Lengthen();
  scoreboard::Layout& layout = board.layout();
  scoreboard::Stamp(layout.reports.head);
  const bool first = header_ == nullptr;
  if (first) header_ = std::make_unique<scoreboard::Header>();
  if (first || Sound(layout.header, *header_)) {
    CopyWords(&layout.header, header_.get(), sizeof(*header_));
  } else {
    CopyWords(header_.get(), &layout.header, sizeof(*header_));
    Zero(layout.slots, sizeof(layout.slots));
    Zero(&layout.departed, sizeof(layout.departed));
    LogWarning(
        "the scoreboard was cut short or overwritten; it is set right again, and figures begin at "
        "zero");
  }
  for (const auto& [generation, process] : processes) {
    scoreboard::WorkerRow& row = layout.workers[process.row];
    const bool placed = row.generation.load() == generation && row.slot.load() == process.id.slot;
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

bool BoardMirror::Refresh(const Processes& processes, scoreboard::Scoreboard& board) {
  const bool healed = Heal(processes, board);
  for (Former& former : former_) {
    std::erase_if(former.writers, [&](policy::Generation generation) {
      const auto process = processes.find(generation);
      if (process == processes.end()) return true;
      const uint32_t row = process->second.row;
      CopyWords(&former.board.layout().reports.rows[row], &board.layout().reports.rows[row],
                sizeof(scoreboard::Report));
      return false;
    });
  }
  std::erase_if(former_, [](const Former& former) { return former.writers.empty(); });
  return healed;
}

}  // namespace uc::coordinator
