// JsonText: the JSON text of a file that anybody may have written, as a value. PURE.
//
// The value is safe to copy, print and destroy, which nlohmann does by recursion: it is nested at most
// kJsonDepthMax levels deep. Whatever is wrong with the text is a Status, never an exception.
#ifndef TOOLS_CONFIG_JSON_TEXT_H_
#define TOOLS_CONFIG_JSON_TEXT_H_

#include <nlohmann/json.hpp>
#include <string>

#include "absl/status/statusor.h"

namespace uc::tools {

inline constexpr int kJsonDepthMax = 100;

enum class JsonComments { kRefused, kIgnored };

// InvalidArgument, to be put behind the file's name: "is no JSON: line 2, column 12"; "a number is out of range:
// 1e999"; "is nested deeper than 100 levels".
absl::StatusOr<nlohmann::ordered_json> ParseJson(const std::string& text, JsonComments comments);

}  // namespace uc::tools

#endif  // TOOLS_CONFIG_JSON_TEXT_H_
