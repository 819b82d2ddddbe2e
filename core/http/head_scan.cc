#include "core/http/head_scan.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "core/http/syntax.h"

namespace uc::http {
namespace {

constexpr int kBlankLinesMax = 8;

// The first control byte (HTAB too), or `end`. It never reads past `end`.
inline const char* FindControl(const char* at, const char* end) {
#ifdef __SSE2__
  const __m128i below_space = _mm_set1_epi8(0x1f);
  const __m128i del = _mm_set1_epi8(0x7f);
  for (; end - at >= 16; at += 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
    const __m128i control = _mm_or_si128(_mm_cmpeq_epi8(_mm_min_epu8(bytes, below_space), bytes),
                                         _mm_cmpeq_epi8(bytes, del));
    const int found = _mm_movemask_epi8(control);
    if (found != 0) return at + __builtin_ctz(static_cast<unsigned>(found));
  }
#endif
  while (at != end && !IsControl(*at)) ++at;
  return at;
}

}  // namespace

HeadScan::Result HeadScan::Bad(absl::string_view reason) {
  fault_ = Fault{.status = 400, .reason = reason};
  return Result::kBad;
}

HeadScan::Result HeadScan::Scan(absl::string_view bytes) {
  const char* const begin = bytes.data();
  const char* const end = begin + bytes.size();
  const size_t before = taken_;
  for (const char* at = begin; at != end;) {
    switch (at_) {
      case At::kLine:
        at = FindControl(at, end);
        if (at == end) break;
        if (*at == '\r') {
          if (request_line_bytes_ == 0) {
            request_line_bytes_ = before + static_cast<size_t>(at - begin);
          }
          // Nearly always the whole line end is here: what the two next states do, in one go.
          if (end - at > 2 && at[1] == '\n' && at[2] > ' ') {
            ++lines_;
            at += 2;
            break;
          }
          at_ = At::kAfterCr;
        } else if (*at == '\n') {
          return Bad("bare LF in a head");
        } else if (*at != '\t') {
          return Bad("control character in a head");
        }
        ++at;
        break;
      case At::kAfterCr:
        if (*at != '\n') return Bad("bare CR in a head");
        ++lines_;
        at_ = At::kLineBegin;
        ++at;
        break;
      case At::kLineBegin:
        if (*at == ' ' || *at == '\t') return Bad("line that begins with white space");
        if (*at == '\r') {
          at_ = At::kAfterLastCr;
          ++at;
        } else {
          at_ = At::kLine;
        }
        break;
      case At::kAfterLastCr:
        if (*at != '\n') return Bad("bare CR in a head");
        ++lines_;
        taken_ = before + static_cast<size_t>(at + 1 - begin);
        return Result::kComplete;
    }
  }
  taken_ = before + bytes.size();
  return Result::kNeedMore;
}

size_t BlankLines::Skip(absl::string_view bytes) {
  size_t skipped = 0;
  for (; skipped < bytes.size(); ++skipped) {
    const char c = bytes[skipped];
    if (after_cr_ != (c == '\n')) {
      fault_ = Fault{.status = 400, .reason = "bare CR or LF before a request line"};
      break;
    }
    if (!after_cr_ && c != '\r') break;
    after_cr_ = c == '\r';
    if (after_cr_ && ++lines_ > kBlankLinesMax) {
      fault_ = Fault{.status = 400, .reason = "too many blank lines before a request line"};
      break;
    }
  }
  return skipped;
}

}  // namespace uc::http
