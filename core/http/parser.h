// RequestParser: bytes of a connection in, steps of its requests out. Pure.
//
// Pull style: the caller shows bytes, the parser takes a prefix and says what it found. It never looks
// past the end of a message, so pipelined requests come one by one.
// Invariant: the steps (pieces of bodies joined) depend on the bytes alone, never on how they were cut
// into inputs. It holds by construction: HeadScan finds the end of the head, each byte looked at once,
// and the grammar then reads the complete head in one call: in place, or in the parser's own buffer if
// the head came in several inputs. Refused: a grammar that is fed piecemeal, where which error comes first
// depends on the cuts.
// Clients repeat themselves: a head whose field lines are, byte for byte, those of the head before it is not
// read again. The same bytes mean the same, so this too changes nothing but the time.
// It accepts nothing that llhttp's strict mode refuses (tests/fuzz asks it), but raw UTF-8 in a target and
// minor versions past 1.1, and beyond that refuses what lets two servers disagree about where a message ends
// (RFC 9112 section 6.3 and 11.2): Content-Length together with Transfer-Encoding, repeated or
// malformed Content-Lengths, a Transfer-Encoding that is not exactly "chunked", obs-fold, bare CR and
// LF, white space before the colon, a missing or repeated Host in HTTP/1.1, bad chunk sizes.
#ifndef CORE_HTTP_PARSER_H_
#define CORE_HTTP_PARSER_H_

#include <cstddef>
#include <cstdint>
#include <memory>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "core/http/message.h"

namespace uc::http {

// CONNECT means something where a server behind a gateway may agree to it; else it is a method like any unknown one.
enum class Connect { kRefused, kAllowed };
// Fields behind a chunked body: a gateway passes them on.
enum class Trailers { kDropped, kKept };

struct ParserLimits {
  size_t target_bytes_max = 8 * 1024;  // past it: 414
  size_t head_bytes_max = 32 * 1024;   // request line and fields, and trailers: past it: 431
  size_t fields_max = 1000;            // past it: 431; a search for a name looks at each
  Connect connect = Connect::kRefused;
  Trailers trailers = Trailers::kDropped;  // of requests
};

struct Step {
  enum class Kind {
    kNeedMore,  // all of the input was taken; show more
    kHead,      // the head is complete: head() holds
    kBody,      // `body` is the next piece of the body (never empty)
    kComplete,  // the message has ended; the next byte begins the next request
    kError,     // `status` says which answer it deserves; the connection ends after it
  };
  Kind kind = Kind::kNeedMore;
  size_t consumed = 0;       // bytes of the input that this step took
  absl::string_view body;    // kBody: within the input
  int status = 0;            // kError: 400, 413 (never here), 414, 431, 501, 505
  absl::string_view reason;  // kError: a static text for the log
};

class RequestParser {
 public:
  explicit RequestParser(const ParserLimits& limits);
  RequestParser(RequestParser&&) noexcept;
  RequestParser& operator=(RequestParser&&) noexcept;
  ~RequestParser();

  // After kComplete the next call begins a new message. After kError only Reset() helps.
  Step Next(absl::string_view input);

  // Valid from kHead on until the next message begins; method and target point into the input of the Next()
  // that returned kHead (or into the parser's own buffer when the head was split). Whoever needs them after
  // that input is gone calls RetainHead() first, while it is still there.
  const RequestHead& head() const;
  void RetainHead();
  // Of the message that kComplete ended, if they are kept; until the next message begins.
  absl::Span<const Field> trailers() const;

  // True while a message is begun but not complete (also: some bytes of a head were seen). Blank lines
  // before a request line do not count (RFC 9112 2.2).
  bool mid_message() const;

  // Nothing was seen since the last message, not even half a blank line: what it goes on from is what a new
  // parser begins with.
  bool pristine() const;

  // Ready for the first message of another connection. Keeps its memory, up to a bound.
  void Reset();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace uc::http

#endif  // CORE_HTTP_PARSER_H_
