// FindControl: where the next control byte is, 16 bytes at a time.
#ifndef CORE_HTTP_FIND_CONTROL_H_
#define CORE_HTTP_FIND_CONTROL_H_

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "core/http/syntax.h"

namespace uc::http {

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

}  // namespace uc::http

#endif  // CORE_HTTP_FIND_CONTROL_H_
