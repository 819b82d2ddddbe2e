// WalkFlags: argv of one verb into flags (set through absl's public reflection) and positionals.
//
// Refused: absl::ParseCommandLine. It prints several lines and exits with 1, knows no dashes inside a
// name, and takes "-1" for a flag.
#ifndef TOOLS_FLAG_WALK_H_
#define TOOLS_FLAG_WALK_H_

#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace uc::tools {

// A flag's value: "1600" is milliseconds as in PM2, or "1.6s", "500ms", "2m". Never negative.
struct DurationFlag {
  absl::Duration value;
};
bool AbslParseFlag(absl::string_view text, DurationFlag* flag, std::string* error);
std::string AbslUnparseFlag(const DurationFlag& flag);

// A flag that may be repeated; its values are also separated by commas.
struct TextList {
  std::vector<std::string> values;
};
bool AbslParseFlag(absl::string_view text, TextList* flag, std::string* error);
std::string AbslUnparseFlag(const TextList& flag);

// The same for values that may hold anything that a word of a command line can hold: separated by NUL.
struct AnyList {
  static constexpr char kBetween = '\0';
  std::vector<std::string> values;
};
bool AbslParseFlag(absl::string_view text, AnyList* flag, std::string* error);
std::string AbslUnparseFlag(const AnyList& flag);

// Names as absl knows them: "kill_timeout".
using FlagSet = std::set<std::string>;

// A flag as it is written on the command line: "--kill-timeout", "-i"; cut where it is very long.
std::string Dashed(absl::string_view name);

struct WalkResult {
  std::vector<std::string> positionals;
  std::vector<std::string> behind;  // what stood behind "--"
  // All arguments, each --flagfile replaced by what it held: who walks them again needs no file.
  std::vector<std::string> words;
  FlagSet given;
  bool help = false;
};

// `allowed`: the flags of this verb; `repeatable` of them gather their values. Also --flagfile=PATH: one
// flag a line ("--name=value" or "--name value"), '#' begins a comment line, at most 1 MiB.
// InvalidArgument in one line: unknown flag (with the nearest name), flag of another verb, missing or
// wrong value, unreadable file; from within a file with its path and line.
absl::StatusOr<WalkResult> WalkFlags(absl::string_view verb,
                                     const std::vector<std::string>& arguments,
                                     const FlagSet& allowed, const FlagSet& repeatable);

// Where the first word is that is neither a flag nor the value of one: the verb. The number of arguments: there is none.
// A flag that is not known is taken for a switch; the verb refuses it.
size_t VerbAt(const std::vector<std::string>& arguments);

}  // namespace uc::tools

#endif  // TOOLS_FLAG_WALK_H_
