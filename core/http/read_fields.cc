#include "core/http/read_fields.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "core/http/syntax.h"

namespace uc::http {
namespace {

// The next CR, of which there is one. Bytes in front of `end` only are looked at.
inline const char* FindCr(const char* at, const char* end) {
#ifdef __SSE2__
  const __m128i cr = _mm_set1_epi8('\r');
  for (; end - at >= 16; at += 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
    const int found = _mm_movemask_epi8(_mm_cmpeq_epi8(bytes, cr));
    if (found != 0) return at + __builtin_ctz(static_cast<unsigned>(found));
  }
#endif
  while (at != end && *at != '\r') ++at;
  return at;
}

// The first byte that is not of a token. There is one: a CR.
inline const char* SkipToken(const char* at, const char* end) {
#ifdef __SSE2__
  // Letters, digits and '-', 16 at a time: what nearly all names are made of. A loop over bytes ends at
  // another place in each name, and mispredicts there.
  const auto among = [](__m128i bytes, char first, char count) {
    const __m128i offset = _mm_sub_epi8(bytes, _mm_set1_epi8(first));
    return _mm_cmpeq_epi8(_mm_min_epu8(offset, _mm_set1_epi8(static_cast<char>(count - 1))),
                          offset);
  };
  for (; end - at >= 16; at += 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
    const __m128i lower = _mm_or_si128(bytes, _mm_set1_epi8(0x20));
    const __m128i plain = _mm_or_si128(_mm_or_si128(among(lower, 'a', 26), among(bytes, '0', 10)),
                                       _mm_cmpeq_epi8(bytes, _mm_set1_epi8('-')));
    const unsigned others = static_cast<unsigned>(_mm_movemask_epi8(plain)) ^ 0xffff;
    if (others == 0) continue;
    at += __builtin_ctz(others);
    break;
  }
#endif
  while (IsIn(kTokenChars, *at)) ++at;
  return at;
}

// What says where the body ends must say it in the same way to everybody: llhttp reads "chunked" and a tab
// behind it as another coding.
bool MayEndInTab(absl::string_view name) {
  return !IsWord(name, "transfer-encoding") && !IsWord(name, "content-length");
}

}  // namespace

Fault ReadFields(absl::string_view lines, size_t fields_max, std::vector<Field>* fields) {
  fields->clear();
  const char* at = lines.data();
  const char* const end = at + lines.size() - 2;  // where the empty line begins
  while (at != end) {
    const char* const name = at;
    at = SkipToken(at, end);
    if (at == name || *at != ':') {
      return Fault{.status = 400, .reason = "line that does not begin with a name and a colon"};
    }
    if (fields->size() == fields_max) return Fault{.status = 431, .reason = "too many fields"};
    const absl::string_view field(name, static_cast<size_t>(at - name));
    const char* const cr = FindCr(at, end);
    ++at;
    while (IsWhite(*at)) ++at;
    const char* value_end = cr;
    while (value_end > at && IsWhite(value_end[-1])) --value_end;
    if (value_end != cr && *value_end == '\t' && !MayEndInTab(field)) {
      return Fault{.status = 400, .reason = "framing that others read differently"};
    }
    fields->push_back({field, absl::string_view(at, static_cast<size_t>(value_end - at))});
    at = cr + 2;
  }
  return Fault();
}

}  // namespace uc::http
