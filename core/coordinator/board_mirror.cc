#include "core/coordinator/board_mirror.h"

#include <cstddef>
#include <cstdint>
#include <utility>

#include "absl/status/statusor.h"

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

static_assert(sizeof(scoreboard::Layout) % sizeof(uint64_t) == 0);

// The worker's part begins with its heartbeat (layout.h).
void CopyWorkerPart(const scoreboard::WorkerRow& from, scoreboard::WorkerRow& to) {
  constexpr size_t kBegin = offsetof(scoreboard::WorkerRow, heartbeat_ns);
  CopyWords(&from.heartbeat_ns, &to.heartbeat_ns, sizeof(from) - kBegin);
}

}  // namespace

absl::Status BoardMirror::Move(const std::string& path, const Processes& processes,
                               scoreboard::Scoreboard& board) {
  absl::StatusOr<scoreboard::Scoreboard> fresh = scoreboard::Scoreboard::Create(path);
  if (!fresh.ok()) return fresh.status();
  Refresh(processes, board);
  CopyWords(&board.layout(), &fresh->layout(), sizeof(scoreboard::Layout));
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

void BoardMirror::Refresh(const Processes& processes, scoreboard::Scoreboard& board) {
  for (Former& former : former_) {
    std::erase_if(former.writers, [&](policy::Generation generation) {
      const auto process = processes.find(generation);
      if (process == processes.end()) return true;
      const uint32_t row = process->second.row;
      CopyWorkerPart(former.board.layout().workers[row], board.layout().workers[row]);
      return false;
    });
  }
  std::erase_if(former_, [](const Former& former) { return former.writers.empty(); });
}

}  // namespace uc::coordinator
