#include "core/http/chunked_body.h"

#include <algorithm>

#include "core/http/syntax.h"

namespace uc::http {
namespace {

constexpr int kSizeDigitsMax = 16;
constexpr size_t kExtensionBytesMax = 256;
// A body of one byte a chunk with an extension each would cost 250 times what it carries.
constexpr size_t kExtensionsBytesMax = 4 * 1024;

constexpr Fault kBadSize = {.status = 400, .reason = "malformed chunk size"};
constexpr Fault kBadEnd = {.status = 400, .reason = "chunk does not end in CRLF"};
constexpr Fault kBadExtension = {.status = 400, .reason = "malformed or long chunk extension"};
constexpr Fault kBadTrailer = {.status = 400, .reason = "malformed trailer"};

// -1: not a digit.
int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

void ChunkedBody::Begin(const ParserLimits& limits) {
  *this = ChunkedBody();
  trailer_bytes_max_ = limits.head_bytes_max;
  trailers_max_ = limits.fields_max;
}

Step ChunkedBody::Next(absl::string_view input) {
  for (size_t at = 0; at < input.size(); ++at) {
    if (at_ == At::kData) {
      const size_t size = static_cast<size_t>(std::min<uint64_t>(left_, input.size() - at));
      left_ -= size;
      if (left_ == 0) at_ = At::kDataCr;
      return Step{.kind = Step::Kind::kBody, .consumed = at + size, .body = input.substr(at, size)};
    }
    if (const Fault fault = Take(input[at])) {
      return Step{.kind = Step::Kind::kError, .status = fault.status, .reason = fault.reason};
    }
    if (at_ == At::kDone) return Step{.kind = Step::Kind::kComplete, .consumed = at + 1};
  }
  return Step{.kind = Step::Kind::kNeedMore, .consumed = input.size()};
}

Fault ChunkedBody::Take(char c) {
  switch (at_) {
    case At::kSize:
    case At::kExtension:
      return TakeOfSize(c);
    case At::kSizeLf:
      if (c != '\n') return kBadSize;
      at_ = left_ > 0 ? At::kData : At::kTrailerBegin;
      digits_ = 0;
      extension_bytes_ = 0;
      return Fault();
    case At::kDataCr:
      if (c != '\r') return kBadEnd;
      at_ = At::kDataLf;
      return Fault();
    case At::kDataLf:
      if (c != '\n') return kBadEnd;
      at_ = At::kSize;
      return Fault();
    case At::kTrailerBegin:
    case At::kTrailerName:
    case At::kTrailerValue:
    case At::kTrailerLf:
    case At::kFinalLf:
      return TakeOfTrailer(c);
    case At::kData:
    case At::kDone:
      break;
  }
  return kBadEnd;
}

Fault ChunkedBody::TakeOfSize(char c) {
  if (at_ == At::kSize) {
    if (const int digit = HexDigit(c); digit >= 0) {
      if (++digits_ > kSizeDigitsMax || left_ >> 59 != 0) return kBadSize;
      left_ = left_ << 4 | static_cast<uint64_t>(digit);
      return Fault();
    }
    if (digits_ == 0) return kBadSize;
    if (c == '\r') {
      at_ = At::kSizeLf;
      return Fault();
    }
    if (c != ';') return kBadSize;
    at_ = At::kExtension;
    return Fault();
  }
  if (c == '\r') {
    at_ = At::kSizeLf;
    return Fault();
  }
  if ((IsControl(c) && c != '\t') || ++extension_bytes_ > kExtensionBytesMax ||
      ++extensions_bytes_ > kExtensionsBytesMax) {
    return kBadExtension;
  }
  return Fault();
}

Fault ChunkedBody::TakeOfTrailer(char c) {
  if (++trailer_bytes_ > trailer_bytes_max_) {
    return Fault{.status = 431, .reason = "trailers too large"};
  }
  if (trailers_kept_ != nullptr) trailers_kept_->push_back(c);
  switch (at_) {
    case At::kTrailerBegin:
      if (c == '\r') {
        at_ = At::kFinalLf;
        return Fault();
      }
      if (!IsIn(kTokenChars, c)) return kBadTrailer;
      if (++trailers_ > trailers_max_) return Fault{.status = 431, .reason = "too many trailers"};
      at_ = At::kTrailerName;
      return Fault();
    case At::kTrailerName:
      if (c == ':') {
        at_ = At::kTrailerValue;
        return Fault();
      }
      return IsIn(kTokenChars, c) ? Fault() : kBadTrailer;
    case At::kTrailerValue:
      if (c == '\r') {
        at_ = At::kTrailerLf;
        return Fault();
      }
      return IsControl(c) && c != '\t' ? kBadTrailer : Fault();
    case At::kTrailerLf:
      if (c != '\n') return kBadTrailer;
      at_ = At::kTrailerBegin;
      return Fault();
    case At::kFinalLf:
      if (c != '\n') return kBadTrailer;
      at_ = At::kDone;
      return Fault();
    case At::kSize:
    case At::kExtension:
    case At::kSizeLf:
    case At::kData:
    case At::kDataCr:
    case At::kDataLf:
    case At::kDone:
      break;
  }
  return kBadTrailer;
}

}  // namespace uc::http
