#include "core/policy/command.h"

#include <algorithm>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace uc::policy {
namespace {

constexpr absl::string_view kBlanks = " \t\r";
constexpr absl::string_view kVerbs =
    "scale N|+N|-N, reload, restart [SLOT], stop [graceful|now], reopen-logs, upgrade, reset or "
    "ping";
constexpr size_t kShownBytesMax = 40;
constexpr size_t kDigitsMax = 9;  // fits in 32 bits

// What was written, fit for a terminal: no control characters, not too long.
std::string Quoted(absl::string_view text) {
  std::string shown = "\"";
  for (const char byte : text.substr(0, kShownBytesMax)) {
    shown += absl::ascii_isprint(byte) && byte != '"' ? byte : '?';
  }
  return absl::StrCat(shown, text.size() > kShownBytesMax ? "..." : "", "\"");
}

absl::Status Wrong(absl::string_view what) { return absl::InvalidArgumentError(what); }

bool IsNumber(absl::string_view text) {
  return !text.empty() && text.size() <= kDigitsMax &&
         std::all_of(text.begin(), text.end(), absl::ascii_isdigit);
}

bool IsTicket(absl::string_view text) {
  const auto allowed = [](char byte) {
    return absl::ascii_islower(byte) || absl::ascii_isdigit(byte) || byte == '-';
  };
  return !text.empty() && text.size() <= kTicketBytesMax &&
         std::all_of(text.begin(), text.end(), allowed);
}

absl::StatusOr<Command> ParseRestart(absl::string_view text) {
  uint32_t slot = 0;
  if (!IsNumber(text) || !absl::SimpleAtoi(text, &slot)) {
    return Wrong(absl::StrCat("restart ", Quoted(text), ": expected the number of a slot"));
  }
  return Restart{slot};
}

absl::StatusOr<Command> ParseStop(absl::string_view text) {
  if (text == "graceful") return Stop{StopKind::kGraceful};
  if (text == "now") return Stop{StopKind::kAtOnce};
  return Wrong(absl::StrCat("stop ", Quoted(text), ": expected stop, stop graceful or stop now"));
}

using Words = std::vector<absl::string_view>;

absl::StatusOr<Command> ParseWithoutArgument(absl::string_view verb) {
  if (verb == "reload") return Reload{};
  if (verb == "restart") return Restart{};
  if (verb == "stop") return Stop{};
  if (verb == "reopen-logs") return ReopenLogs{};
  if (verb == "upgrade") return UpgradeSelf{};
  if (verb == "reset") return ResetCounts{};
  if (verb == "ping") return Ping{};
  if (verb == "scale") return Wrong("scale: expected scale N, scale +N or scale -N");
  return Wrong(absl::StrCat("unknown command ", Quoted(verb), ": expected ", kVerbs));
}

absl::StatusOr<Command> ParseWords(const Words& words) {
  if (words.empty()) return Wrong(absl::StrCat("empty command: expected ", kVerbs));
  const absl::string_view verb = words[0];
  if (words.size() == 1) return ParseWithoutArgument(verb);
  if (words.size() == 2 && verb == "scale") return ParseScale(words[1]);
  if (words.size() == 2 && verb == "restart") return ParseRestart(words[1]);
  if (words.size() == 2 && verb == "stop") return ParseStop(words[1]);
  if (verb == "scale") {
    return Wrong("scale: expected one word after it: N, +N or -N, with no blank inside");
  }
  if (const absl::StatusOr<Command> known = ParseWithoutArgument(verb); !known.ok()) return known;
  return Wrong(absl::StrCat(verb, ": too many words; expected ", kVerbs));
}

}  // namespace

absl::StatusOr<CommandLine> ParseCommandLine(absl::string_view line, std::string* ticket) {
  ticket->clear();
  if (line.size() >= static_cast<size_t>(kLineBytesMax)) {
    return Wrong(absl::StrCat("a command of ", line.size(), " bytes: at most ", kLineBytesMax - 1,
                              " fit in a line"));
  }
  Words words = absl::StrSplit(line, absl::ByAnyChar(kBlanks), absl::SkipEmpty());
  CommandLine parsed;
  if (!words.empty() && words[0].front() == '@') {
    const absl::string_view name = words[0].substr(1);
    if (!IsTicket(name)) {
      return Wrong(absl::StrCat("ticket ", Quoted(name), ": expected 1 to ", kTicketBytesMax,
                                " of a-z, 0-9 and -"));
    }
    *ticket = parsed.ticket = std::string(name);
    words.erase(words.begin());
  }
  absl::StatusOr<Command> command = ParseWords(words);
  if (!command.ok()) return command.status();
  parsed.command = *std::move(command);
  return parsed;
}

absl::StatusOr<Scale> ParseScale(absl::string_view text) {
  const bool sign = !text.empty() && (text.front() == '+' || text.front() == '-');
  const absl::string_view digits = text.substr(sign ? 1 : 0);
  Scale scale;
  if (!IsNumber(digits) || !absl::SimpleAtoi(digits, &scale.count)) {
    return Wrong(absl::StrCat("scale ", Quoted(text),
                              ": expected N, +N or -N, such as scale 4, scale +3 or scale -1"));
  }
  if (sign) scale.kind = Scale::Kind::kRelative;
  if (sign && text.front() == '-') scale.count = -scale.count;
  return scale;
}

namespace {

struct Spelling {
  std::string operator()(const Scale& scale) const {
    const bool plus = scale.kind == Scale::Kind::kRelative && scale.count >= 0;
    return absl::StrCat("scale ", plus ? "+" : "", scale.count);
  }
  std::string operator()(const Reload&) const { return "reload"; }
  std::string operator()(const Restart& restart) const {
    return restart.slot.has_value() ? absl::StrCat("restart ", *restart.slot) : "restart";
  }
  std::string operator()(const Stop& stop) const {
    switch (stop.kind) {
      case StopKind::kPrompt:
        return "stop";
      case StopKind::kGraceful:
        return "stop graceful";
      case StopKind::kAtOnce:
        return "stop now";
    }
    return "stop";
  }
  std::string operator()(const ReopenLogs&) const { return "reopen-logs"; }
  std::string operator()(const UpgradeSelf&) const { return "upgrade"; }
  std::string operator()(const ResetCounts&) const { return "reset"; }
  std::string operator()(const Ping&) const { return "ping"; }
};

}  // namespace

std::string ToString(const Command& command) { return std::visit(Spelling{}, command); }

}  // namespace uc::policy
