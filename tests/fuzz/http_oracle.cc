#include "tests/fuzz/http_oracle.h"

#include <llhttp.h>

#include "core/http/parser.h"
#include "tests/http/corpus.h"

namespace uc::http {
namespace {

struct Reading {
  OracleMessage message;
  bool in_body = false;
};

Reading& ReadingOf(llhttp_t* parser) { return *static_cast<Reading*>(parser->data); }
OracleMessage& Of(llhttp_t* parser) { return ReadingOf(parser).message; }

// llhttp 8.1 has a grammar for extensions, and loses its way in some of them: "1;a=b;c" is told to have a
// bad size. So: anything wrong in the line of a chunk's size, behind its semicolon.
bool EndedInExtension(absl::string_view before) {
  const size_t line = before.rfind('\n');
  return line != absl::string_view::npos &&
         before.substr(line).find(';') != absl::string_view::npos;
}

constexpr llhttp_settings_t kSettings = {
    .on_url =
        [](llhttp_t* parser, const char* at, size_t size) {
          Of(parser).target.append(at, size);
          return 0;
        },
    .on_method =
        [](llhttp_t* parser, const char* at, size_t size) {
          Of(parser).method.append(at, size);
          return 0;
        },
    .on_headers_complete =
        [](llhttp_t* parser) {
          ReadingOf(parser).in_body = true;
          parser->upgrade = 0;  // as we: a wish to upgrade is ignored
          return 0;
        },
    .on_body =
        [](llhttp_t* parser, const char* at, size_t size) {
          Of(parser).body.append(at, size);
          return 0;
        },
    .on_message_complete = [](llhttp_t*) { return static_cast<int>(HPE_PAUSED); },
};

}  // namespace

OracleAnswer AskLlhttp(absl::string_view bytes) {
  OracleAnswer answer;
  for (;;) {
    Reading reading;
    llhttp_t parser;
    llhttp_init(&parser, HTTP_REQUEST, &kSettings);
    parser.data = &reading;
    const llhttp_errno_t error = llhttp_execute(&parser, bytes.data(), bytes.size());
    if (error == HPE_OK) return answer;
    const size_t taken = static_cast<size_t>(llhttp_get_error_pos(&parser) - bytes.data());
    if (error != HPE_PAUSED) {
      answer.ended_in_what_we_drop = reading.in_body && ((parser.flags & F_TRAILING) != 0 ||
                                                         EndedInExtension(bytes.substr(0, taken)));
      return answer;
    }
    answer.messages.push_back(reading.message);
    bytes.remove_prefix(taken);
  }
}

std::vector<OracleMessage> AskOurs(absl::string_view bytes) {
  std::vector<OracleMessage> messages;
  OracleMessage message;
  RequestParser parser(kCorpusLimits);
  for (;;) {
    const Step step = parser.Next(bytes);
    bytes.remove_prefix(step.consumed);
    switch (step.kind) {
      case Step::Kind::kHead:
        message = {.method = std::string(parser.head().method),
                   .target = std::string(parser.head().target)};
        break;
      case Step::Kind::kBody:
        message.body.append(step.body.data(), step.body.size());
        break;
      case Step::Kind::kComplete:
        messages.push_back(message);
        break;
      case Step::Kind::kNeedMore:
      case Step::Kind::kError:
        return messages;
    }
  }
}

std::string InWordsOfLlhttp(absl::string_view bytes, const ParserLimits& limits) {
  std::string words(bytes);
  RequestParser parser(limits);
  absl::string_view rest = bytes;
  for (;;) {
    const Step step = parser.Next(rest);
    if (step.kind == Step::Kind::kNeedMore || step.kind == Step::Kind::kError) return words;
    if (step.kind == Step::Kind::kHead) {  // one input: the views point into it
      const absl::string_view target = parser.head().target;
      const size_t begin = static_cast<size_t>(target.data() - bytes.data());
      const size_t end = begin + target.size();
      for (size_t i = begin; i < end; ++i) {
        if (static_cast<unsigned char>(words[i]) >= 0x80) words[i] = 'u';
      }
      char& minor = words[end + sizeof(" HTTP/1.") - 1];
      if (minor > '1') minor = '1';
    }
    rest.remove_prefix(step.consumed);
  }
}

}  // namespace uc::http
