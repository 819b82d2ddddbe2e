#include "tools/load/answer.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace uc::load {

void Answer::Reset() { *this = Answer(); }

Answer::State Answer::Take(absl::string_view bytes) {
  bytes_ += bytes.size();
  if (state_ == State::kHead) {
    head_.append(bytes.data(), bytes.size());
    const size_t end = head_.find("\r\n\r\n");
    if (end == std::string::npos) {
      return state_ = head_.size() > kHeadBytesMax ? State::kMalformed : State::kHead;
    }
    const std::string behind = head_.substr(end + 4);
    head_.resize(end + 2);
    state_ = ReadHead();
    if (state_ == State::kMalformed || (state_ == State::kBody && behind.empty())) return state_;
    return state_ = TakeBody(behind);
  }
  if (state_ == State::kBody) return state_ = TakeBody(bytes);
  return state_ = State::kMalformed;
}

std::string Answer::Header(absl::string_view lower_name) const {
  const std::string lower = absl::AsciiStrToLower(head_);
  const size_t at = lower.find(absl::StrCat("\r\n", lower_name, ":"));
  if (at == std::string::npos) return "";
  const size_t begin = at + 3 + lower_name.size();
  return std::string(absl::StripAsciiWhitespace(
      absl::string_view(head_).substr(begin, head_.find("\r\n", begin) - begin)));
}

Answer::State Answer::ReadHead() {
  if (!absl::StartsWith(head_, "HTTP/1.1 ") || head_.size() < 12 ||
      !absl::SimpleAtoi(absl::string_view(head_).substr(9, 3), &status_)) {
    return State::kMalformed;
  }
  closes_ = absl::EqualsIgnoreCase(Header("connection"), "close");
  chunked_ = absl::EqualsIgnoreCase(Header("transfer-encoding"), "chunked");
  if (status_ == 204 || status_ == 304) return State::kComplete;
  if (chunked_) return State::kBody;
  const std::string length = Header("content-length");
  until_end_ = length.empty();
  if (until_end_) {
    closes_ = true;
    return State::kBody;
  }
  if (!absl::SimpleAtoi(length, &left_)) return State::kMalformed;
  return left_ == 0 ? State::kComplete : State::kBody;
}

Answer::State Answer::TakeBody(absl::string_view bytes) {
  if (state_ == State::kComplete) return bytes.empty() ? State::kComplete : State::kMalformed;
  if (chunked_) return TakeChunks(bytes);
  if (body_.size() < kBodyKept) {
    body_.append(bytes.data(), std::min(bytes.size(), kBodyKept - body_.size()));
  }
  if (until_end_) return State::kBody;
  if (bytes.size() > left_) return State::kMalformed;
  left_ -= bytes.size();
  return left_ == 0 ? State::kComplete : State::kBody;
}

Answer::State Answer::TakeChunks(absl::string_view bytes) {
  while (!bytes.empty()) {
    if (left_ > 0) {  // data and its CRLF
      const size_t size = static_cast<size_t>(std::min<uint64_t>(left_, bytes.size()));
      if (body_.size() < kBodyKept)
        body_.append(bytes.data(), std::min(size, kBodyKept - body_.size()));
      left_ -= size;
      bytes.remove_prefix(size);
      continue;
    }
    const char c = bytes.front();
    bytes.remove_prefix(1);
    if (c != '\n') {
      if (c != '\r') chunk_line_.push_back(c);
      if (chunk_line_.size() > 1024) return State::kMalformed;
      continue;
    }
    if (last_chunk_) {  // trailers, then an empty line
      if (chunk_line_.empty()) return bytes.empty() ? State::kComplete : State::kMalformed;
      chunk_line_.clear();
      continue;
    }
    uint64_t size = 0;
    if (!absl::SimpleHexAtoi(chunk_line_, &size)) return State::kMalformed;
    chunk_line_.clear();
    last_chunk_ = size == 0;
    left_ = size == 0 ? 0 : size + 2;
  }
  return State::kBody;
}

Answer::State Answer::End() {
  if (state_ == State::kBody && until_end_) state_ = State::kComplete;
  return state_;
}

}  // namespace uc::load
