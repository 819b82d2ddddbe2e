// Answer: one HTTP/1.1 response as it comes in. Knows Content-Length, chunked and "until the end". PURE.
#ifndef TOOLS_LOAD_ANSWER_H_
#define TOOLS_LOAD_ANSWER_H_

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace uc::load {

class Answer {
 public:
  enum class State { kHead, kBody, kComplete, kMalformed };

  void Reset();
  // Takes bytes; what is behind the answer's end makes it malformed: nothing was asked for it.
  State Take(absl::string_view bytes);
  // The peer has sent its FIN: complete if the answer ends there.
  State End();

  State state() const { return state_; }
  uint64_t bytes() const { return bytes_; }
  int status() const { return status_; }
  bool closes() const { return closes_; }                  // Connection: close, or an end by FIN
  const std::string& body_begin() const { return body_; }  // its first 256 bytes
  std::string Header(absl::string_view lower_name) const;  // "" if it is not there

 private:
  static constexpr size_t kHeadBytesMax = 64 * 1024;
  static constexpr size_t kBodyKept = 256;
  State ReadHead();
  State TakeBody(absl::string_view bytes);
  State TakeChunks(absl::string_view bytes);

  State state_ = State::kHead;
  std::string head_;
  std::string body_;
  std::string chunk_line_;
  uint64_t bytes_ = 0;
  uint64_t left_ = 0;  // of the body or of the chunk
  int status_ = 0;
  bool closes_ = false;
  bool chunked_ = false;
  bool until_end_ = false;
  bool last_chunk_ = false;
};

}  // namespace uc::load

#endif  // TOOLS_LOAD_ANSWER_H_
