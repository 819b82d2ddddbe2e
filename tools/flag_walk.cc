#include "tools/flag_walk.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/flags/reflection.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "tools/nearest.h"
#include "tools/text_file.h"

namespace uc::tools {
namespace {

constexpr int kFlagFileDepthMax = 8;
constexpr size_t kFlagFileBytesMax = 1 << 20;
constexpr size_t kShownMax = 100;

bool IsNumber(absl::string_view text) {
  if (text.empty()) return false;
  if (text[0] == '-' || text[0] == '+') text.remove_prefix(1);
  return !text.empty() && std::all_of(text.begin(), text.end(), absl::ascii_isdigit);
}

// "-1", and "-1.5" too: no flag begins with a digit, and who reads it as a number can say what is wrong.
bool IsNegative(absl::string_view text) {
  return text.size() > 1 && text[0] == '-' && absl::ascii_isdigit(text[1]);
}

absl::StatusOr<std::string> ReadFlagFile(const std::string& path) {
  absl::StatusOr<std::string> text = ReadTextFile(path, kFlagFileBytesMax);
  if (text.ok()) return text;
  if (absl::IsNotFound(text.status())) {
    return absl::InvalidArgumentError(absl::StrCat("--flagfile=", path, ": cannot be read"));
  }
  return absl::InvalidArgumentError(absl::StrCat("--flagfile=", text.status().message()));
}

class Walk {
 public:
  Walk(absl::string_view verb, const FlagSet& allowed, const FlagSet& repeatable)
      : verb_(verb), allowed_(allowed), repeatable_(repeatable) {}

  absl::Status Take(const std::vector<std::string>& arguments, int depth) {
    for (size_t i = 0; i < arguments.size(); ++i) {
      const std::string& argument = arguments[i];
      if (argument == "--") {
        const auto rest = arguments.begin() + static_cast<std::ptrdiff_t>(i);
        result_.behind.assign(rest + 1, arguments.end());
        result_.words.insert(result_.words.end(), rest, arguments.end());
        return absl::OkStatus();
      }
      if (argument.size() < 2 || argument[0] != '-' || IsNegative(argument)) {
        result_.positionals.push_back(argument);
        result_.words.push_back(argument);
        continue;
      }
      if (argument == "-h" || argument == "--help") {
        result_.help = true;
        result_.words.push_back(argument);
        continue;
      }
      if (absl::Status status = TakeFlag(arguments, &i, depth); !status.ok()) return status;
    }
    return absl::OkStatus();
  }

  WalkResult result() && { return std::move(result_); }

 private:
  absl::Status TakeFlag(const std::vector<std::string>& arguments, size_t* i, int depth) {
    absl::string_view text = arguments[*i];
    absl::ConsumePrefix(&text, "-");
    const bool shortened = !absl::ConsumePrefix(&text, "-");
    // "-i4" is "-i 4".
    if (shortened && text.size() > 1 && text[0] == 'i' && IsNumber(text.substr(1))) {
      result_.words.push_back(arguments[*i]);
      return Set("i", std::string(text.substr(1)));
    }
    const size_t equals = text.find('=');
    std::string name = absl::StrReplaceAll(text.substr(0, equals), {{"-", "_"}});
    if (name == "flagfile") {
      if (equals != absl::string_view::npos) {
        return TakeFile(std::string(text.substr(equals + 1)), depth);
      }
      return TakeFile(*i + 1 < arguments.size() ? arguments[++*i] : "", depth);
    }
    result_.words.push_back(arguments[*i]);
    bool negated = false;
    if (allowed_.count(name) == 0) {
      for (const char* prefix : {"no_", "no"}) {
        absl::string_view rest = name;
        if (!absl::ConsumePrefix(&rest, prefix) || allowed_.count(std::string(rest)) == 0) continue;
        if (!IsBool(std::string(rest))) continue;
        name = std::string(rest);
        negated = true;
        break;
      }
    }
    if (allowed_.count(name) == 0) return Unknown(name);
    if (equals != absl::string_view::npos && negated) {
      return absl::InvalidArgumentError(
          absl::StrCat(Dashed(absl::StrCat("no_", name)), " takes no value"));
    }
    if (equals != absl::string_view::npos) return Set(name, std::string(text.substr(equals + 1)));
    if (IsBool(name)) return Set(name, negated ? "false" : "true");
    if (*i + 1 >= arguments.size()) return NeedsValue(name);
    result_.words.push_back(arguments[++*i]);
    return Set(name, arguments[*i]);
  }

  static absl::Status NeedsValue(absl::string_view name) {
    return absl::InvalidArgumentError(absl::StrCat(Dashed(name), " needs a value"));
  }

  absl::Status TakeFile(const std::string& path, int depth) {
    if (depth >= kFlagFileDepthMax) {
      return absl::InvalidArgumentError(absl::StrCat("--flagfile=", path, ": nested too deep"));
    }
    const absl::StatusOr<std::string> text = ReadFlagFile(path);
    if (!text.ok()) return text.status();
    int number = 0;
    for (const absl::string_view line : absl::StrSplit(*text, '\n')) {
      ++number;
      if (absl::Status status = TakeLine(absl::StripAsciiWhitespace(line), depth + 1);
          !status.ok()) {
        return absl::InvalidArgumentError(absl::StrCat(path, ":", number, ": ", status.message()));
      }
    }
    return absl::OkStatus();
  }

  absl::Status TakeLine(absl::string_view line, int depth) {
    if (line.empty() || line[0] == '#') return absl::OkStatus();
    if (line[0] != '-' || line == "-" || line == "--" || IsNegative(line)) {
      return absl::InvalidArgumentError("a line must be a flag: --name=value");
    }
    std::vector<std::string> words = {std::string(line)};
    // "--name value", but not the space in "--name=some value".
    const size_t end = line.find_first_of("= \t");
    if (end != absl::string_view::npos && line[end] != '=') {
      words = {std::string(line.substr(0, end)),
               std::string(absl::StripLeadingAsciiWhitespace(line.substr(end)))};
    }
    size_t i = 0;
    if (words[0] == "-h" || words[0] == "--help") return Take({words[0]}, depth);
    if (absl::Status status = TakeFlag(words, &i, depth); !status.ok()) return status;
    if (i + 1 == words.size()) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat(words[0], " takes no value behind a space"));
  }

  absl::Status Unknown(const std::string& name) const {
    const std::string nearest = Nearest(name, allowed_);
    const std::string hint =
        nearest.empty() ? "" : absl::StrCat("; did you mean ", Dashed(nearest), "?");
    if (absl::FindCommandLineFlag(name) != nullptr && EverAllowed(name)) {
      // No slip of the fingers, unless one is the beginning of the other: --worker for --workers.
      const bool close = absl::StartsWith(nearest, name) || absl::StartsWith(name, nearest);
      return absl::InvalidArgumentError(
          absl::StrCat(Dashed(name), " is not a flag of '", verb_, "'", close ? hint : ""));
    }
    return absl::InvalidArgumentError(
        absl::StrCat("unknown flag ", Dashed(name), hint,
                     verb_ == "start" ? " (arguments for the app itself go behind --)" : ""));
  }

  // Flags of ours, not those that absl itself registers.
  static bool EverAllowed(const std::string& name) {
    const absl::CommandLineFlag* flag = absl::FindCommandLineFlag(name);
    return !absl::StrContains(flag->Filename(), "absl/");
  }

  static bool IsBool(const std::string& name) {
    const absl::CommandLineFlag* flag = absl::FindCommandLineFlag(name);
    return flag != nullptr && flag->IsOfType<bool>();
  }

  absl::Status Set(const std::string& name, std::string value) {
    absl::CommandLineFlag* flag = absl::FindCommandLineFlag(name);
    if (flag == nullptr) return Unknown(name);
    if (repeatable_.count(name) > 0) {
      std::string& gathered = gathered_[name];
      const char between = flag->IsOfType<AnyList>() ? AnyList::kBetween : ',';
      if (!gathered.empty()) gathered.push_back(between);
      gathered.append(value);
      value = gathered;
    }
    std::string error;
    if (!flag->ParseFrom(value, &error)) {
      return absl::InvalidArgumentError(absl::StrCat(Dashed(name), "=", value.substr(0, kShownMax),
                                                     " is not valid: ", Expected(*flag)));
    }
    result_.given.insert(name);
    return absl::OkStatus();
  }

  static std::string Expected(const absl::CommandLineFlag& flag) {
    if (flag.IsOfType<int64_t>()) return "a whole number is expected";
    if (flag.IsOfType<bool>()) return "true or false is expected";
    if (flag.IsOfType<DurationFlag>())
      return "a time is expected, such as 500ms, 1.6s or 1600 (ms)";
    return flag.Help();
  }

  const absl::string_view verb_;
  const FlagSet& allowed_;
  const FlagSet& repeatable_;
  std::map<std::string, std::string> gathered_;
  WalkResult result_;
};

}  // namespace

std::string Dashed(absl::string_view name) {
  return absl::StrCat(name.size() == 1 ? "-" : "--",
                      absl::StrReplaceAll(name, {{"_", "-"}}).substr(0, kShownMax));
}

bool AbslParseFlag(absl::string_view text, DurationFlag* flag, std::string* error) {
  int64_t milliseconds = 0;
  absl::Duration value;
  if (absl::SimpleAtoi(text, &milliseconds)) {
    value = absl::Milliseconds(milliseconds);
  } else if (!absl::ParseDuration(text, &value)) {
    *error = "no duration";
    return false;
  }
  if (value < absl::ZeroDuration()) {
    *error = "negative";
    return false;
  }
  flag->value = value;
  return true;
}

std::string AbslUnparseFlag(const DurationFlag& flag) { return absl::FormatDuration(flag.value); }

bool AbslParseFlag(absl::string_view text, TextList* flag, std::string*) {
  flag->values.clear();
  for (const absl::string_view value : absl::StrSplit(text, ',', absl::SkipWhitespace())) {
    flag->values.emplace_back(absl::StripAsciiWhitespace(value));
  }
  return true;
}

std::string AbslUnparseFlag(const TextList& flag) { return absl::StrJoin(flag.values, ","); }

bool AbslParseFlag(absl::string_view text, AnyList* flag, std::string*) {
  flag->values = absl::StrSplit(text, AnyList::kBetween, absl::SkipEmpty());
  return true;
}

std::string AbslUnparseFlag(const AnyList& flag) {
  return absl::StrJoin(flag.values, absl::string_view(&AnyList::kBetween, 1));
}

size_t VerbAt(const std::vector<std::string>& arguments) {
  for (size_t i = 0; i < arguments.size(); ++i) {
    absl::string_view text = arguments[i];
    if (text == "--") break;
    if (text.size() < 2 || text[0] != '-' || IsNegative(text)) return i;
    absl::ConsumePrefix(&text, "-");
    absl::ConsumePrefix(&text, "-");
    if (absl::StrContains(text, '=')) continue;
    const std::string name = absl::StrReplaceAll(text, {{"-", "_"}});
    const absl::CommandLineFlag* const flag = absl::FindCommandLineFlag(name);
    if (name == "flagfile" || (flag != nullptr && !flag->IsOfType<bool>())) ++i;
  }
  return arguments.size();
}

absl::StatusOr<WalkResult> WalkFlags(absl::string_view verb,
                                     const std::vector<std::string>& arguments,
                                     const FlagSet& allowed, const FlagSet& repeatable) {
  Walk walk(verb, allowed, repeatable);
  if (absl::Status status = walk.Take(arguments, 0); !status.ok()) return status;
  return std::move(walk).result();
}

}  // namespace uc::tools
