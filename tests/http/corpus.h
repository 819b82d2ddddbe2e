// The golden corpora: requests as escaped text, and what the parser must make of them.
//
// corpus/valid/NAME.http     one or more complete requests
// corpus/valid/NAME.expect   their transcript (transcript.h), exactly
// corpus/invalid/NAME.http   one request that must be refused; its first line says how:
//                            "# 400 bare CR in a head" = status and reason of the error step
//
// Escaped text, one physical line per logical line:
//   * a line that begins with '#' is a comment;
//   * the file's own line ends mean nothing: CR and LF are always written \r and \n;
//   * \r \n \t \0 \\ and \xHH are single bytes;
//   * \{COUNT*TEXT} is TEXT, escapes included, COUNT times; TEXT has no '}'.
#ifndef TESTS_HTTP_CORPUS_H_
#define TESTS_HTTP_CORPUS_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "core/http/parser.h"

namespace uc::http {

struct Case {
  std::string name;
  std::string bytes;   // what goes over the wire
  std::string expect;  // valid: the transcript; invalid: "400 reason"
};

// Aborts on text that is not of the format: a broken corpus must not pass.
std::string Unescape(absl::string_view text);
// Printable, in the same escapes, for messages.
std::string Escape(absl::string_view bytes);

// What the corpora are parsed with: small, so that the cases at the limits can be cut at every byte.
inline constexpr ParserLimits kCorpusLimits = {
    .target_bytes_max = 1024, .head_bytes_max = 4096, .fields_max = 100};

// Sorted by name.
std::vector<Case> ValidCases();
std::vector<Case> InvalidCases();

}  // namespace uc::http

#endif  // TESTS_HTTP_CORPUS_H_
