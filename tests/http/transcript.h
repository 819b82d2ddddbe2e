// Transcript: feeds a parser and writes down what it says, in words that do not depend on the cuts.
//
//   POST /a HTTP/1.1, keep-alive, length 5
//     Host: a
//     body: hello
//   complete
//   error 400 bare CR in a head
//   unfinished                            (the input ended within a message)
//
// Flags of the first line: keep-alive or close; length N or chunked; expects-continue.
// Each input lies in heap memory of exactly its size and is freed when it is used up, so that the
// address sanitizer sees every over-read and every view that outlived its input. On the way it checks
// what the contract of RequestParser says about each step.
#ifndef TESTS_HTTP_TRANSCRIPT_H_
#define TESTS_HTTP_TRANSCRIPT_H_

#include <cstddef>
#include <functional>
#include <string>

#include "absl/strings/string_view.h"
#include "core/http/parser.h"
#include "tests/http/corpus.h"

namespace uc::http {

class Transcript {
 public:
  explicit Transcript(const ParserLimits& limits = kCorpusLimits) : parser_(limits) {}

  // One input.
  void Feed(absl::string_view bytes);
  // No more inputs: the text so far, and whether something is unfinished.
  std::string Text();

  int messages() const { return messages_; }
  bool failed() const { return failed_; }
  // Empty, or the first breach of the contract.
  const std::string& breach() const { return breach_; }

 private:
  void Take(const Step& step, absl::string_view input);
  std::string HeadText() const;
  void Check(bool holds, absl::string_view claim);

  RequestParser parser_;
  std::string text_;
  std::string head_text_;  // of the message under way; empty if there is none
  std::string body_;
  std::string breach_;
  int messages_ = 0;
  bool failed_ = false;
};

// The transcript of `bytes`, cut into inputs whose sizes `next_size` says (0 counts as an empty input).
// A breach of the contract becomes part of the text.
std::string TranscriptOf(absl::string_view bytes, const std::function<size_t()>& next_size,
                         const ParserLimits& limits = kCorpusLimits);
std::string TranscriptOfWhole(absl::string_view bytes, const ParserLimits& limits = kCorpusLimits);
std::string TranscriptOfTwo(absl::string_view bytes, size_t cut,
                            const ParserLimits& limits = kCorpusLimits);
std::string TranscriptOfBytes(absl::string_view bytes, const ParserLimits& limits = kCorpusLimits);

}  // namespace uc::http

#endif  // TESTS_HTTP_TRANSCRIPT_H_
