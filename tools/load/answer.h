// Answer: one HTTP/1.1 response as it comes in, held against what is expected of it. PURE.
//
// Knows Content-Length, chunked, "until the end" and interim (1xx) responses. A head that is there whole is read in
// place; only one that comes in pieces is copied. The body is compared as it passes and never kept.
#ifndef TOOLS_LOAD_ANSWER_H_
#define TOOLS_LOAD_ANSWER_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace uc::load {

// What a good answer is.
struct Expected {
  int status = 200;
  std::string body;               // it begins with this
  std::optional<uint64_t> bytes;  // and is so long
  std::string header;             // lower case: its value is kept; empty: none
};

class Answer {
 public:
  enum class State { kHead, kBody, kComplete, kMalformed };

  void Reset();
  // Takes the bytes of this answer and returns how many they were: the rest is of the next one.
  size_t Take(absl::string_view bytes, const Expected& expected);
  // The peer has sent its FIN: complete if the answer ends there.
  State End();

  State state() const { return state_; }
  uint64_t bytes() const { return bytes_; }  // of head and body
  int status() const { return status_; }
  bool closes() const { return closes_; }  // Connection: close, or an end by FIN
  const std::string& header() const { return header_; }
  // "" or what is not as expected. Once it is complete.
  std::string Fault(const Expected& expected) const;

 private:
  static constexpr size_t kHeadBytesMax = 64 * 1024;
  static constexpr size_t kChunkLineMax = 1024;
  enum class Framing : uint8_t { kLength, kChunked, kUntilEnd };

  size_t TakeHead(absl::string_view bytes, const Expected& expected);
  State ReadHead(absl::string_view head, const Expected& expected);
  bool ReadField(absl::string_view name, absl::string_view value, const Expected& expected);
  size_t TakeBody(absl::string_view bytes, const Expected& expected);
  size_t TakeChunks(absl::string_view bytes, const Expected& expected);
  State EndChunkLine();
  void Compare(absl::string_view body, const Expected& expected);

  State state_ = State::kHead;
  Framing framing_ = Framing::kUntilEnd;
  bool closes_ = false;
  bool says_close_ = false;
  bool says_keep_alive_ = false;
  bool same_ = true;  // the body so far
  bool last_chunk_ = false;
  int status_ = 0;
  uint64_t bytes_ = 0;
  uint64_t left_ = 0;  // of the body or of the chunk
  uint64_t body_bytes_ = 0;
  std::string pieces_;  // of a head or a chunk's line that is not whole
  std::string header_;
};

}  // namespace uc::load

#endif  // TOOLS_LOAD_ANSWER_H_
