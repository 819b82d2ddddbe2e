// ResponseParser: bytes of a connection to a server in, steps of its responses out. Pure.
//
// The reading half of a gateway: pull style and independent of the cuts, as RequestParser is (its header says how).
// Whether a response has a body depends on the request that it answers (RFC 9112 section 6.3), so the caller says
// before each response what it was. Interim responses (1xx other than 101) come as a head without a message of their
// own: the next head belongs to the same request.
// What two readers might frame differently is an error here, too (RFC 9112 section 11): Content-Length together with
// Transfer-Encoding, repeated or malformed Content-Lengths, a Transfer-Encoding that is not exactly "chunked" or
// comes in HTTP/1.0, obs-fold, bare CR and LF. A gateway answers 502 for it and ends the connection to the server.
#ifndef CORE_HTTP_RESPONSE_PARSER_H_
#define CORE_HTTP_RESPONSE_PARSER_H_

#include <cstdint>
#include <memory>
#include <optional>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "core/http/framing.h"
#include "core/http/message.h"
#include "core/http/parser.h"

namespace uc::http {

class ResponseParser {
 public:
  explicit ResponseParser(const ParserLimits& limits);
  ResponseParser(ResponseParser&&) noexcept;
  ResponseParser& operator=(ResponseParser&&) noexcept;
  ~ResponseParser();

  // The next response answers such a request. Between messages only.
  void Begin(Answers request);

  // kHead: head() holds until the next call; its views point into `input` or into the parser's own memory.
  // kComplete: the message has ended; for a head with Body::kTunnel what follows is not HTTP. kError: `reason` says
  // why; only another parser helps.
  Step Next(absl::string_view input);
  // The server has sent its last byte. kComplete: that was the end of a body without a length. kNeedMore: nothing was
  // cut short. kError: it ended in the middle of a message.
  Step End();

  const ResponseMessage& head() const;
  // Of the message that kComplete ended; empty without chunked coding. Until the next call.
  absl::Span<const Field> trailers() const;
  // Some bytes of a response have been seen, and its end has not.
  bool mid_message() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace uc::http

#endif  // CORE_HTTP_RESPONSE_PARSER_H_
