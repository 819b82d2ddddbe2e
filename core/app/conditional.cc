#include "core/app/conditional.h"

#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "core/http/writer.h"

namespace uc::app {
namespace {

absl::string_view ToAbsl(std::string_view text) { return {text.data(), text.size()}; }

enum class Comparison { kStrong, kWeak };  // RFC 9110 8.8.3.2

// Takes one entity-tag off the front of *list. False: what stands there is none.
bool TakeTag(std::string_view* list, bool* weak, std::string_view* tag) {
  *weak = list->substr(0, 2) == "W/";
  const std::string_view rest = list->substr(*weak ? 2 : 0);
  if (rest.empty() || rest.front() != '"') return false;
  // A tag may hold commas and blanks, but no quote.
  const size_t end = rest.find('"', 1);
  if (end == std::string_view::npos) return false;
  *tag = rest.substr(0, end + 1);
  *list = rest.substr(end + 1);
  return true;
}

// Our own tag is strong, so the strong comparison asks only whether the other one is.
bool ListNames(std::string_view list, std::string_view etag, Comparison comparison) {
  if (list == "*") return true;
  while (true) {
    const size_t begin = list.find_first_not_of(", \t");
    if (begin == std::string_view::npos) return false;
    list.remove_prefix(begin);
    bool weak = false;
    std::string_view tag;
    if (!TakeTag(&list, &weak, &tag)) return false;
    if (tag == etag && (comparison == Comparison::kWeak || !weak)) return true;
  }
}

// The lines of one field, as far as we need them.
struct Lines {
  int count = 0;
  std::string_view first;
  // A field that is no list: its value if it stands exactly once.
  std::string_view single() const { return count == 1 ? first : std::string_view(); }
  std::optional<absl::Time> date() const {
    return count == 1 ? http::ParseDate(ToAbsl(first)) : std::nullopt;
  }
};

// The fields of RFC 9110 13.1 and Range, found in one pass over the head.
struct Fields {
  Lines if_match, if_none_match, if_modified_since, if_unmodified_since, if_range, range;
  bool match_named = false;
  bool none_match_named = false;
};

void TakeField(const Header& header, std::string_view etag, Fields* fields) {
  const absl::string_view name = ToAbsl(header.name);
  const auto take = [&header](Lines* lines) {
    if (lines->count++ == 0) lines->first = header.value;
  };
  if (absl::EqualsIgnoreCase(name, "range")) {
    take(&fields->range);
  } else if (absl::EqualsIgnoreCase(name, "if-range")) {
    take(&fields->if_range);
  } else if (absl::EqualsIgnoreCase(name, "if-match")) {
    take(&fields->if_match);
    fields->match_named |= ListNames(header.value, etag, Comparison::kStrong);
  } else if (absl::EqualsIgnoreCase(name, "if-none-match")) {
    take(&fields->if_none_match);
    fields->none_match_named |= ListNames(header.value, etag, Comparison::kWeak);
  } else if (absl::EqualsIgnoreCase(name, "if-modified-since")) {
    take(&fields->if_modified_since);
  } else if (absl::EqualsIgnoreCase(name, "if-unmodified-since")) {
    take(&fields->if_unmodified_since);
  }
}

Verdict Judge(const Fields& fields, const Validators& validators) {
  if (fields.if_match.count > 0) {
    if (!fields.match_named) return Verdict::kPreconditionFailed;
  } else if (const auto date = fields.if_unmodified_since.date()) {
    if (validators.modified > *date) return Verdict::kPreconditionFailed;
  }
  if (fields.if_none_match.count > 0) {
    if (fields.none_match_named) return Verdict::kNotModified;
  } else if (const auto date = fields.if_modified_since.date()) {
    if (validators.modified <= *date) return Verdict::kNotModified;
  }
  return Verdict::kServe;
}

// RFC 9110 13.1.5: the strong comparison, or exactly the date of Last-Modified.
bool SameRepresentation(const Lines& if_range, const Validators& validators) {
  if (if_range.count == 0) return true;
  if (const auto date = if_range.date()) return *date == validators.modified;
  std::string_view rest = if_range.single();
  bool weak = false;
  std::string_view tag;
  return TakeTag(&rest, &weak, &tag) && rest.empty() && !weak && tag == validators.etag;
}

}  // namespace

Condition Evaluate(std::span<const Header> headers, const Validators& validators) {
  Fields fields;
  for (const Header& header : headers) {
    // All of them begin with I or R: most headers of a request do not.
    if (header.name.empty()) continue;
    const char initial = static_cast<char>(header.name.front() | 0x20);
    if (initial == 'i' || initial == 'r') TakeField(header, validators.etag, &fields);
  }
  Condition condition = {.verdict = Judge(fields, validators)};
  if (condition.verdict == Verdict::kServe && SameRepresentation(fields.if_range, validators)) {
    condition.range = fields.range.single();
  }
  return condition;
}

}  // namespace uc::app
