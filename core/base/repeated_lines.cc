#include "core/base/repeated_lines.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace uc {
namespace {

constexpr size_t kKeyBytesMax = 200;

bool IsOfANumber(absl::string_view text, size_t at) {
  if (absl::ascii_isdigit(text[at])) return true;
  return text[at] == '.' && at + 1 < text.size() && absl::ascii_isdigit(text[at + 1]);
}

// "worker 3/17: exited with code 3; again in 1.5s" -> "worker 3/#: exited with code #; again in #s".
std::string KeyOf(absl::string_view text) {
  std::string key;
  bool slot_found = false;
  for (size_t at = 0; at < text.size() && key.size() < kKeyBytesMax;) {
    if (!absl::ascii_isdigit(text[at])) {
      key.push_back(text[at++]);
      continue;
    }
    size_t end = at;
    while (end < text.size() && IsOfANumber(text, end)) ++end;
    const bool slot =
        !slot_found && (absl::EndsWith(key, "worker ") || absl::EndsWith(key, "slot "));
    if (slot)
      end = std::find_if_not(text.begin() + at, text.end(), absl::ascii_isdigit) - text.begin();
    key.append(slot ? std::string(text.substr(at, end - at)) : "#");
    slot_found |= slot;
    at = end;
  }
  return key;
}

}  // namespace

std::vector<RepeatedLines::Line> RepeatedLines::Take(absl::Time now, Severity severity,
                                                     absl::string_view text) {
  std::vector<Line> lines = Due(now);
  std::string key = KeyOf(text);
  if (known_.size() >= kLinesMax && known_.count(key) == 0) MakeRoom(now, &lines);
  Known& known = known_[std::move(key)];
  known.seen = now;
  if (known.at_once < kAtOnce) {
    ++known.at_once;
    lines.push_back({severity, std::string(text)});
    return lines;
  }
  if (known.held++ == 0) {
    known.since = now;
    due_ = std::min(due_, now + known.period);
  }
  known.last = {severity, std::string(text)};
  return lines;
}

std::vector<RepeatedLines::Line> RepeatedLines::Due(absl::Time now) {
  std::vector<Line> lines;
  if (now < due_) return lines;
  due_ = absl::InfiniteFuture();
  for (auto entry = known_.begin(); entry != known_.end();) {
    Known& known = entry->second;
    if (known.held > 0 && now >= known.since + known.period) {
      lines.push_back(Tell(now, known));
      known.period = std::min(known.period * 2, kPeriodMost);
    }
    if (known.held > 0) due_ = std::min(due_, known.since + known.period);
    const bool forgotten =
        known.held == 0 && now - known.seen >= std::max(kForgotten, known.period);
    entry = forgotten ? known_.erase(entry) : std::next(entry);
  }
  return lines;
}

std::vector<RepeatedLines::Line> RepeatedLines::All(absl::Time now) {
  std::vector<Line> lines;
  for (auto& [key, known] : known_) {
    if (known.held > 0) lines.push_back(Tell(now, known));
  }
  known_.clear();
  due_ = absl::InfiniteFuture();
  return lines;
}

RepeatedLines::Line RepeatedLines::Tell(absl::Time now, Known& known) {
  Line line = std::move(known.last);
  if (known.held > 1) {
    absl::StrAppend(&line.text, " (and ", known.held - 1, " more in the last ",
                    absl::ToInt64Seconds(now - known.since), " s)");
  }
  known.held = 0;
  return line;
}

void RepeatedLines::MakeRoom(absl::Time now, std::vector<Line>* lines) {
  const auto oldest =
      std::min_element(known_.begin(), known_.end(),
                       [](const auto& a, const auto& b) { return a.second.seen < b.second.seen; });
  if (oldest->second.held > 0) lines->push_back(Tell(now, oldest->second));
  known_.erase(oldest);
}

}  // namespace uc
