#include "tools/load/answer.h"

#include <string.h>

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace uc::load {

void Answer::Reset() {
  state_ = State::kHead;
  framing_ = Framing::kUntilEnd;
  closes_ = last_chunk_ = false;
  same_ = true;
  status_ = 0;
  bytes_ = left_ = body_bytes_ = 0;
  pieces_.clear();
  header_.clear();
}

size_t Answer::Take(absl::string_view bytes, const Expected& expected) {
  size_t taken = 0;
  while (taken < bytes.size() && (state_ == State::kHead || state_ == State::kBody)) {
    const absl::string_view rest = bytes.substr(taken);
    const size_t size =
        state_ == State::kHead ? TakeHead(rest, expected) : TakeBody(rest, expected);
    bytes_ += size;
    taken += size;
  }
  return taken;
}

size_t Answer::TakeHead(absl::string_view bytes, const Expected& expected) {
  if (pieces_.empty()) {
    const auto* end = static_cast<const char*>(memmem(bytes.data(), bytes.size(), "\r\n\r\n", 4));
    if (end != nullptr) {
      const auto size = static_cast<size_t>(end - bytes.data());
      state_ = ReadHead(bytes.substr(0, size + 2), expected);
      return size + 4;
    }
  }
  const size_t before = pieces_.size();
  pieces_.append(bytes.data(), bytes.size());
  const size_t end = pieces_.find("\r\n\r\n", before > 3 ? before - 3 : 0);
  if (end == std::string::npos) {
    if (pieces_.size() > kHeadBytesMax) state_ = State::kMalformed;
    return bytes.size();
  }
  const std::string head = pieces_.substr(0, end + 2);
  pieces_.clear();
  state_ = ReadHead(head, expected);
  return end + 4 - before;
}

// `head` without the empty line at its end.
Answer::State Answer::ReadHead(absl::string_view head, const Expected& expected) {
  // "HTTP/1.1 200"
  if (head.size() < 14 || !absl::StartsWith(head, "HTTP/1.") || head[8] != ' ' ||
      !absl::SimpleAtoi(head.substr(9, 3), &status_)) {
    return State::kMalformed;
  }
  says_close_ = says_keep_alive_ = false;
  left_ = 0;
  framing_ = Framing::kUntilEnd;
  for (size_t at = head.find('\n') + 1; at < head.size();) {
    const size_t end = head.find('\n', at);
    const absl::string_view line = head.substr(at, end - at);
    const size_t colon = line.find(':');
    if (colon == absl::string_view::npos) return State::kMalformed;
    if (!ReadField(line.substr(0, colon), absl::StripAsciiWhitespace(line.substr(colon + 1)),
                   expected)) {
      return State::kMalformed;
    }
    at = end + 1;
  }
  closes_ = says_close_ || (head[7] == '0' && !says_keep_alive_);
  if (status_ < 200) return State::kHead;  // interim: the answer comes behind it
  if (status_ == 204 || status_ == 304) return State::kComplete;
  if (framing_ == Framing::kUntilEnd) closes_ = true;
  return framing_ == Framing::kLength && left_ == 0 ? State::kComplete : State::kBody;
}

bool Answer::ReadField(absl::string_view name, absl::string_view value, const Expected& expected) {
  // By length first: most fields are none of ours.
  if (name.size() == 14 && absl::EqualsIgnoreCase(name, "content-length")) {
    if (framing_ == Framing::kChunked) return true;
    framing_ = Framing::kLength;
    if (!absl::SimpleAtoi(value, &left_)) return false;
  } else if (name.size() == 10 && absl::EqualsIgnoreCase(name, "connection")) {
    // "close" holds whatever is said besides (RFC 9112, 9.3); "keep-alive" is for HTTP/1.0.
    if (absl::EqualsIgnoreCase(value, "close")) says_close_ = true;
    if (absl::EqualsIgnoreCase(value, "keep-alive")) says_keep_alive_ = true;
  } else if (name.size() == 17 && absl::EqualsIgnoreCase(name, "transfer-encoding")) {
    if (!absl::EqualsIgnoreCase(value, "chunked")) return false;
    framing_ = Framing::kChunked;
    left_ = 0;
  }
  if (!expected.header.empty() && absl::EqualsIgnoreCase(name, expected.header)) {
    header_ = std::string(value);
  }
  return true;
}

void Answer::Compare(absl::string_view body, const Expected& expected) {
  if (body_bytes_ < expected.body.size()) {
    const size_t size = std::min<size_t>(body.size(), expected.body.size() - body_bytes_);
    same_ = same_ && memcmp(body.data(), expected.body.data() + body_bytes_, size) == 0;
  }
  body_bytes_ += body.size();
}

size_t Answer::TakeBody(absl::string_view bytes, const Expected& expected) {
  switch (framing_) {
    case Framing::kUntilEnd:
      Compare(bytes, expected);
      return bytes.size();
    case Framing::kLength: {
      const size_t size = static_cast<size_t>(std::min<uint64_t>(bytes.size(), left_));
      Compare(bytes.substr(0, size), expected);
      left_ -= size;
      if (left_ == 0) state_ = State::kComplete;
      return size;
    }
    case Framing::kChunked:
      return TakeChunks(bytes, expected);
  }
  return 0;
}

size_t Answer::TakeChunks(absl::string_view bytes, const Expected& expected) {
  size_t at = 0;
  while (at < bytes.size() && state_ == State::kBody) {
    if (left_ > 2) {  // data, and its CRLF
      const auto size = static_cast<size_t>(std::min<uint64_t>(left_ - 2, bytes.size() - at));
      Compare(bytes.substr(at, size), expected);
      left_ -= size;
      at += size;
      continue;
    }
    const char c = bytes[at++];
    if (left_ > 0) {
      if (c != (left_ == 2 ? '\r' : '\n')) state_ = State::kMalformed;
      --left_;
    } else if (c == '\n') {
      state_ = EndChunkLine();
    } else if (pieces_.size() >= kChunkLineMax) {
      state_ = State::kMalformed;
    } else if (c != '\r') {
      pieces_.push_back(c);
    }
  }
  return at;
}

Answer::State Answer::EndChunkLine() {
  const std::string line = std::move(pieces_);
  pieces_.clear();
  if (last_chunk_) return line.empty() ? State::kComplete : State::kBody;  // trailers
  const std::string digits = line.substr(0, line.find_first_of("; \t"));
  uint64_t size = 0;
  if (!absl::SimpleHexAtoi(digits, &size) || size > UINT64_MAX - 2) return State::kMalformed;
  last_chunk_ = size == 0;
  left_ = size == 0 ? 0 : size + 2;
  return State::kBody;
}

Answer::State Answer::End() {
  if (state_ == State::kBody && framing_ == Framing::kUntilEnd) state_ = State::kComplete;
  return state_;
}

std::string Answer::Fault(const Expected& expected) const {
  if (status_ != expected.status) return absl::StrCat("status ", status_);
  if (!same_ || body_bytes_ < expected.body.size()) return "another body than expected";
  if (expected.bytes.has_value() && body_bytes_ != *expected.bytes) {
    return absl::StrCat("a body of ", body_bytes_, " bytes");
  }
  return "";
}

}  // namespace uc::load
