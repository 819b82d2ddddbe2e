#include "tools/config/json_text.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace uc::tools {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kShownMax = 40;

// "line 3, column 7" of a byte offset.
std::string LineAndColumn(const std::string& text, size_t byte) {
  const size_t at = std::min(byte > 0 ? byte - 1 : 0, text.size());
  const auto line = 1 + std::count(text.begin(), text.begin() + static_cast<ptrdiff_t>(at), '\n');
  const size_t begin = at == 0 ? std::string::npos : text.rfind('\n', at - 1);
  return absl::StrCat("line ", line, ", column ", begin == std::string::npos ? at + 1 : at - begin);
}

// The library says "... parsing '1e999'".
std::string QuotedPart(const std::string& text) {
  const size_t begin = text.find('\'');
  const size_t end = text.rfind('\'');
  if (begin == std::string::npos || end <= begin) return "";
  return absl::StrCat(": ", text.substr(begin + 1, std::min(end - begin - 1, kShownMax)));
}

}  // namespace

absl::StatusOr<Json> ParseJson(const std::string& text, JsonComments comments) {
  bool too_deep = false;
  // `depth`: how many arrays and objects are open already.
  const auto keep = [&too_deep](int depth, Json::parse_event_t event, const Json&) {
    const bool opens =
        event == Json::parse_event_t::array_start || event == Json::parse_event_t::object_start;
    if (!opens || depth < kJsonDepthMax) return true;
    too_deep = true;
    return false;  // nothing below is kept
  };
  try {
    Json json =
        Json::parse(text, keep, /*allow_exceptions=*/true, comments == JsonComments::kIgnored);
    if (!too_deep) return json;
  } catch (const Json::parse_error& error) {
    if (!too_deep) {
      return absl::InvalidArgumentError(
          absl::StrCat("is no JSON: ", LineAndColumn(text, error.byte)));
    }
  } catch (const Json::out_of_range& error) {
    return absl::InvalidArgumentError(
        absl::StrCat("a number is out of range", QuotedPart(error.what())));
  } catch (const Json::exception& error) {
    return absl::InvalidArgumentError(absl::StrCat("is no JSON: ", error.what()));
  }
  return absl::InvalidArgumentError(
      absl::StrCat("is nested deeper than ", kJsonDepthMax, " levels"));
}

}  // namespace uc::tools
