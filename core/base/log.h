// One line per fact, on stderr: "2026-11-23T16:11:07.123Z info  coordinator: worker 2/7 ready".
//
// Each line is one write(2), so that lines of several processes do not mix. Control characters are
// replaced: a peer cannot forge lines. A full disk, a closed stderr or a reader of it that has stopped
// reading loses lines (the next one says how many), and nothing else: logging never blocks.
#ifndef CORE_BASE_LOG_H_
#define CORE_BASE_LOG_H_

#include <string>

#include "absl/strings/string_view.h"

namespace uc {

enum class Severity { kInfo, kWarning, kError };

// Names this process in its lines ("coordinator", "worker 2/7"). Call once, early; not thread-safe.
void SetLogIdentity(std::string identity);

// Lines below `severity` are dropped. Default kInfo.
void SetLogThreshold(Severity severity);

// Thread-safe. `text` without the line's end; anything past 2,000 bytes is cut.
[[gnu::cold]] void Log(Severity severity, absl::string_view text);

inline void LogInfo(absl::string_view text) { Log(Severity::kInfo, text); }
inline void LogWarning(absl::string_view text) { Log(Severity::kWarning, text); }
inline void LogError(absl::string_view text) { Log(Severity::kError, text); }

}  // namespace uc

#endif  // CORE_BASE_LOG_H_
