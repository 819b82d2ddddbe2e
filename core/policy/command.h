// Command: what an operator asks of a running cluster, whichever way it came (signal, control pipe, CLI
// verb). PURE: text in, value out.
//
// One line of the control pipe is one command: "[@TICKET] VERB [ARGUMENT]", at most kLineBytesMax bytes
// with its newline, so that a write(2) of it is atomic (pipe(7): PIPE_BUF). The ticket names where the
// answer goes; without it the answer is only logged.
#ifndef CORE_POLICY_COMMAND_H_
#define CORE_POLICY_COMMAND_H_

#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace uc::policy {

inline constexpr int kLineBytesMax = 512;  // POSIX's least PIPE_BUF
inline constexpr int kTicketBytesMax = 64;
inline constexpr uint32_t kWorkersMax = 1024;  // slots of one cluster

struct Scale {
  enum class Kind { kAbsolute, kRelative };
  Kind kind = Kind::kAbsolute;
  int64_t count = 0;  // kRelative: may be negative
};
struct Reload {};  // roll: replace every incumbent, one by one
struct Restart {
  std::optional<uint32_t> slot;
};  // drain, exit, spawn again; all slots or one
enum class StopKind {
  kPrompt,    // TERM, INT, `stop`: idle connections end at once, requests in flight finish
  kGraceful,  // QUIT: idle keep-alive connections may still send one request, within kill_timeout
  kAtOnce,    // a second TERM or INT: SIGKILL
};
struct Stop {
  StopKind kind = StopKind::kPrompt;
};
struct ReopenLogs {};
struct UpgradeSelf {};  // the coordinator's own program is replaced in place, workers and pid stay
struct ResetCounts {};  // restarts are counted from 0 again
struct Ping {};

using Command =
    std::variant<Scale, Reload, Restart, Stop, ReopenLogs, UpgradeSelf, ResetCounts, Ping>;

struct CommandLine {
  std::string ticket;  // empty: nobody waits for the answer
  Command command;
};

// "scale 4", "scale +3", "scale -1", "reload", "restart", "restart 2", "stop", "stop graceful",
// "stop now", "reopen-logs", "upgrade", "reset", "ping". InvalidArgument names what was expected; control characters of the
// input never get into the message. If the ticket was readable it is set even when the rest is wrong.
absl::StatusOr<CommandLine> ParseCommandLine(absl::string_view line, std::string* ticket);

// "N", "+N" or "-N". "+ 3", "3.5", "", "99999999999" are errors that show the right form.
absl::StatusOr<Scale> ParseScale(absl::string_view text);

// The line's text for a command, without ticket and newline.
std::string ToString(const Command& command);

}  // namespace uc::policy

#endif  // CORE_POLICY_COMMAND_H_
