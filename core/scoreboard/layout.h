// Layout of the scoreboard: versioned shared memory, two files in the run directory. Fixed-width fields, version first,
// one writer per row. Readers (`list`, `describe`, metrics) map both read-only and ask nobody.
//
//   scoreboard          Header, SlotRow[1024], WorkerRow[2048], Counters of the departed: written by the coordinator
//   scoreboard.reports  ReportsHead, Report[2048]: each row by its worker while one has it
//
// Two files, because whoever may write a mapping may write all of it: workers hold a descriptor of their reports only,
// so that an app that was taken over cannot write the words by which a coordinator finds and signals processes.
//
// Totals = departed + the reports of all worker rows in use. The coordinator folds the counters of a dead worker into
// the departed ones between two increments of `fold_sequence` (odd = in progress: read again), so that totals never go
// down and nothing is counted twice.
#ifndef CORE_SCOREBOARD_LAYOUT_H_
#define CORE_SCOREBOARD_LAYOUT_H_

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace uc::scoreboard {

inline constexpr uint64_t kMagic = 0x64726f6273637275;  // "urcsbord"
inline constexpr uint32_t kLayoutVersion = 5;
inline constexpr uint32_t kSlotsMax = 1024;
inline constexpr uint32_t kWorkerRows = 2 * kSlotsMax;
inline constexpr uint32_t kLatencyBuckets = 256;

enum class RowState : uint32_t {
  kFree = 0,
  kStarting = 1,
  kServing = 2,
  kDraining = 3,
  kKilled = 4,
  kProving = 5,
  kRestarting = 6,
};

// What workers count; open connections = accepted + taken_over - closed - handed_over. Only ever added to, by one writer: relaxed load + store, no locked instruction.
struct Counters {
  std::atomic<uint64_t> accepted;     // connections taken
  std::atomic<uint64_t> closed;       // connections ended
  std::atomic<uint64_t> taken_over;   // connections that came from another worker
  std::atomic<uint64_t> handed_over;  // connections that went to another worker
  std::atomic<uint64_t> requests;     // responses handed to the kernel completely
  std::atomic<uint64_t> bytes_in;
  std::atomic<uint64_t> bytes_out;
  std::atomic<uint64_t> responses_5xx;
  std::atomic<uint64_t> bad_requests;   // answered 4xx by ourselves: malformed, too large, too slow
  std::atomic<uint64_t> accept_errors;  // EMFILE and the like
  std::atomic<uint64_t> latency[kLatencyBuckets];  // requests per bucket, see histogram.h
};

struct alignas(64) WorkerRow {
  std::atomic<uint32_t> state;  // RowState
  std::atomic<uint32_t> slot;
  std::atomic<uint32_t> generation;
  std::atomic<int32_t> pid;  // 0: it is being spawned
  std::atomic<uint64_t>
      process_start;  // with `pid` it names one process (process_start.h); 0: not known
  std::atomic<int64_t> state_since_ns;  // CLOCK_MONOTONIC
  std::atomic<int64_t> started_ns;      // CLOCK_MONOTONIC, of the process
};

// What a worker says of itself, in the row of its WorkerRow.
struct alignas(64) Report {
  std::atomic<int64_t> heartbeat_ns;  // CLOCK_MONOTONIC of the last turn of its loop
  std::atomic<uint32_t> in_flight;    // requests begun and not answered
  std::atomic<uint32_t> idle;         // keep-alive connections between requests
  // Of a worker that runs a program: the process that it started, the one that accepts, and whether connections
  // wait that nobody takes.
  std::atomic<int32_t> program_pid;  // and its process group
  std::atomic<int32_t> accepting_pid;
  std::atomic<uint32_t> work_waits;
  std::atomic<int32_t> program_session;  // of program_pid
  std::atomic<uint64_t> program_start;   // of program_pid, as process_start
  alignas(64) Counters counters;
};

enum class Condition : uint32_t {
  kWell = 0,
  kErrored = 1,  // as many quick deaths as --max-restarts; it is tried again and again
  kStopped = 2,  // its worker has ended for good; nobody is spawned until an operator asks
};

inline constexpr uint32_t kFailureBytes = 328;
struct alignas(64) SlotRow {
  std::atomic<uint32_t> wanted;  // 0: the slot does not exist (any more)
  std::atomic<uint32_t> live;
  std::atomic<uint32_t>
      stand_in;  // generation of the worker of another slot that accepts here; 0: none
  std::atomic<uint64_t> restarts;      // workers started in the place of one that ended unasked
  std::atomic<uint32_t> quick_deaths;  // in a row
  std::atomic<int64_t> next_spawn_ns;  // CLOCK_MONOTONIC when backing off, else 0
  std::atomic<uint32_t> condition;     // Condition
  std::atomic<int64_t> failed_ns;      // CLOCK_MONOTONIC of the last failure; 0: none
  char failure[kFailureBytes];         // NUL-terminated text: why
};

inline constexpr uint32_t kNameBytes = 64;
inline constexpr uint32_t kTextBytes = 2048;

enum class AppKind : uint32_t {
  kNative = 0,
  kProgram =
      1,  // a program of its own, which serves its clients itself: nobody counts its requests
  kBehindFronts = 2,  // a program behind each worker
};

struct Header {
  std::atomic<uint64_t> magic;  // stored last, when all else is set
  uint32_t version;
  uint32_t header_bytes;
  uint64_t file_bytes;
  std::atomic<int32_t> coordinator_pid;
  std::atomic<uint32_t> workers_wanted;
  std::atomic<uint32_t> newest_generation;  // that was ever given
  std::atomic<uint32_t>
      coordinators;         // that this cluster has had: 1, and one more for each take-over
  int64_t started_unix_ns;  // wall clock, for "up since"
  int64_t started_ns;       // CLOCK_MONOTONIC
  std::atomic<uint32_t> fold_sequence;
  std::atomic<uint32_t> rolling;
  std::atomic<uint32_t> stopping;
  std::atomic<uint64_t> events_ignored;  // gossip of dead workers, malformed messages
  char name[kNameBytes];                 // NUL-terminated text
  char app[kTextBytes];                  // "static /srv/www"
  char addresses[kTextBytes];          // "127.0.0.1:8080 [::1]:8080", resolved; written once bound
  char mode[kTextBytes];               // "plain: ..." which mode is in force and why
  char balance[kNameBytes];            // "least-connections"
  char binary[kTextBytes];             // the path that workers are exec'd from
  char command_line[2 * kTextBytes];   // what `start` was called with
  char claims[kTextBytes];             // the addresses that a program has asked for (claims.h)
  std::atomic<uint32_t> program;       // AppKind
  std::atomic<uint32_t> program_user;  // the user id that it runs as
};

struct ReportsHead {
  std::atomic<uint64_t> magic;
  std::atomic<uint32_t> version;
};

struct Reports {
  ReportsHead head;
  Report rows[kWorkerRows];
};

// A multiple of every page size that Linux has.
inline constexpr size_t kPartAlignment = 65536;

// As it is mapped: the second file follows the first.
struct Layout {
  Header header;
  SlotRow slots[kSlotsMax];
  WorkerRow workers[kWorkerRows];
  alignas(64) Counters departed;
  alignas(kPartAlignment) Reports reports;
};

inline constexpr size_t kBoardBytes = offsetof(Layout, reports);  // of the first file

static_assert(std::atomic<uint64_t>::is_always_lock_free);

}  // namespace uc::scoreboard

#endif  // CORE_SCOREBOARD_LAYOUT_H_
