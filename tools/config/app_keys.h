// Which key of an app in PM2's config file is which flag of `start`. PURE.
#ifndef TOOLS_CONFIG_APP_KEYS_H_
#define TOOLS_CONFIG_APP_KEYS_H_

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "tools/flag_walk.h"

namespace uc::tools {

// The flag (with underscores) that a key stands for, or "" if there is none in `flags`.
std::string FlagOfKey(const std::string& key, const FlagSet& flags);
// Keys that are understood and need nothing: "exec_mode", "autostart": true ...
bool IsImplied(const std::string& key);

// The words that set a flag to a JSON value: "--kill-timeout=1600", "--wait-ready", one word for each element of an
// array. InvalidArgument says which types are expected.
absl::StatusOr<std::vector<std::string>> WordsOf(const std::string& flag,
                                                 const nlohmann::ordered_json& value);

// A string, number or true/false as text; InvalidArgument for the rest.
absl::StatusOr<std::string> ScalarText(const nlohmann::ordered_json& value);
// "a 'b c' d" is three words; an array's elements are its words.
absl::StatusOr<std::vector<std::string>> ArgumentsOf(const nlohmann::ordered_json& value);

}  // namespace uc::tools

#endif  // TOOLS_CONFIG_APP_KEYS_H_
