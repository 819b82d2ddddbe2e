#include "benchmarks/paired/work.h"

#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace uc::paired {

absl::StatusOr<Work> Work::Parse(absl::string_view text) {
  const std::vector<std::string> words = absl::StrSplit(text, absl::MaxSplits(':', 2));
  Work work;
  work.text = std::string(text);
  const std::string& kind = words[0];
  const bool deep = kind == "pipelined" || kind == "traced";
  const bool third = deep || kind == "get";
  if ((kind != "keep-alive" && kind != "new" && !third) || words.size() != (third ? 3 : 2) ||
      !absl::SimpleAtoi(words[1], &work.connections) || work.connections < 1 ||
      work.connections > 10'000 ||
      (deep && (!absl::SimpleAtoi(words[2], &work.depth) || work.depth < 1 || work.depth > 256))) {
    return absl::InvalidArgumentError(
        absl::StrCat("--works: '", text,
                     "' is none of keep-alive:CONNECTIONS, pipelined:CONNECTIONS:DEPTH, "
                     "traced:CONNECTIONS:DEPTH, new:CONNECTIONS, get:CONNECTIONS:/TARGET"));
  }
  if (kind == "new") work.kind = Connections::kNew;
  if (kind == "get") work.target = words[2];
  work.traced = kind == "traced";
  return work;
}

std::string Work::Request() const {
  return absl::StrCat("GET ", target,
                      " HTTP/1.1\r\n"
                      "Host: www.example.org\r\n"
                      "User-Agent: paired/1.0\r\n"
                      "Accept: text/html,application/xhtml+xml,*/*\r\n",
                      // As long as what stands there otherwise.
                      traced ? absl::StrCat(kIdField, std::string(kIdDigits, '0'), "\r\n")
                             : "Accept-Encoding: gzip, deflate\r\n",
                      "Accept-Language: en-GB,en\r\n\r\n");
}

}  // namespace uc::paired
