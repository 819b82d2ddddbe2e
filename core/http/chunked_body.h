// ChunkedBody: the chunked coding (RFC 9112 section 7.1): bytes of a body in, pieces of data out.
//
// Strict where llhttp 8.1 is not: CRLF only, no white space around a size, at most 16 digits. Chunk
// extensions are read, bounded and dropped. So are trailers, unless KeepTrailers() asks for them: a trailer must not
// pass for a field of the head.
#ifndef CORE_HTTP_CHUNKED_BODY_H_
#define CORE_HTTP_CHUNKED_BODY_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "core/http/fault.h"
#include "core/http/parser.h"

namespace uc::http {

class ChunkedBody {
 public:
  void Begin(const ParserLimits& limits);

  // Appends the lines of the trailer section, the empty line included, to `lines` as they are read. After Begin().
  void KeepTrailers(std::string* lines) { trailers_kept_ = lines; }

  // kBody, kNeedMore, kComplete or kError; after the last two only Begin() helps.
  Step Next(absl::string_view input);

 private:
  enum class At : uint8_t {
    kSize,          // the digits of a chunk's size
    kExtension,     // after ';' in the same line
    kSizeLf,        // LF of that line
    kData,          // `left_` bytes of data
    kDataCr,        // CRLF behind the data
    kDataLf,        //
    kTrailerBegin,  // after the last chunk: a trailer line, or CR of the final CRLF
    kTrailerName,   //
    kTrailerValue,  //
    kTrailerLf,     //
    kFinalLf,       //
    kDone,
  };
  //  kSize ───CR───> kSizeLf ──LF, size > 0──> kData ──> kDataCr ──> kDataLf ──> kSize
  //    └─';'─> kExtension ─CR─^  └─LF, size 0─> kTrailerBegin ──CR──> kFinalLf ──LF──> kDone
  //  kTrailerBegin ──> kTrailerName ──':'──> kTrailerValue ──CR──> kTrailerLf ──> kTrailerBegin

  // Moves past one byte of framing.
  Fault Take(char c);
  Fault TakeOfSize(char c);
  Fault TakeOfTrailer(char c);

  At at_ = At::kSize;
  int digits_ = 0;
  uint64_t left_ = 0;            // of this chunk: the size while it is read, then the data to come
  size_t extension_bytes_ = 0;   // of this line
  size_t extensions_bytes_ = 0;  // of this body
  size_t trailer_bytes_ = 0;
  size_t trailers_ = 0;
  size_t trailer_bytes_max_ = 0;
  size_t trailers_max_ = 0;
  std::string* trailers_kept_ = nullptr;
};

}  // namespace uc::http

#endif  // CORE_HTTP_CHUNKED_BODY_H_
