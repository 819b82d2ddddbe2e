// The oracle of the HTTP fuzzer: llhttp alone, bodies included, as a second opinion on the same bytes.
#ifndef TESTS_FUZZ_HTTP_ORACLE_H_
#define TESTS_FUZZ_HTTP_ORACLE_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "core/http/parser.h"

namespace uc::http {

struct OracleMessage {
  std::string method;
  std::string target;
  std::string body;
  bool operator==(const OracleMessage&) const = default;
};

struct OracleAnswer {
  // The complete messages at the begin of the bytes, until llhttp refuses something or the bytes end.
  std::vector<OracleMessage> messages;
  // It ended in a chunk extension or a trailer. We bound and drop both without looking into them, as
  // neither says where anything ends (no CR, LF or other control byte passes): from here on the
  // opinions may part.
  bool ended_in_what_we_drop = false;
};

OracleAnswer AskLlhttp(absl::string_view bytes);

// The same from our parser.
std::vector<OracleMessage> AskOurs(absl::string_view bytes);

// `bytes` with what we take on purpose and llhttp's strict mode does not put into words that it knows: in the
// request line of each head that we accept, bytes from 0x80 on become "u" and a minor version past 1 becomes 1.
// Sizes and places stay. Everything else must then be read alike. `limits`: within which we accept.
std::string InWordsOfLlhttp(absl::string_view bytes, const ParserLimits& limits);

}  // namespace uc::http

#endif  // TESTS_FUZZ_HTTP_ORACLE_H_
