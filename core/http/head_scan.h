// HeadScan: finds where a head ends, over as many inputs as it takes, looking at each byte once.
//
// It decides the line structure, and nothing else: lines end in CRLF, an empty line ends the head. It
// refuses every other control byte (NUL, bare CR, bare LF, DEL; only HTAB passes) and lines that
// begin with white space (obs-fold). So whoever reads the head later reads complete lines without
// surprises, and it makes no difference into which pieces the head was cut.
// Refused: leaving the line structure to llhttp. 8.1 takes a bare CR or LF for the end of a line, where
// another server may see none: that is how requests are smuggled (CVE-2023-30589).
#ifndef CORE_HTTP_HEAD_SCAN_H_
#define CORE_HTTP_HEAD_SCAN_H_

#include <cstddef>
#include <cstdint>

#include "absl/strings/string_view.h"
#include "core/http/fault.h"

namespace uc::http {

class HeadScan {
 public:
  enum class Result {
    kNeedMore,  // all of `bytes` was taken
    kComplete,  // the head ends with the last byte taken
    kBad,       // see fault(); only Begin() helps
  };

  void Begin() { *this = HeadScan(); }

  // Goes on where the last call ended. The first byte ever is not part of a blank line (see
  // BlankLines).
  Result Scan(absl::string_view bytes);

  size_t taken() const { return taken_; }  // in all since Begin()
  // Bytes of the request line, without its CRLF; 0 as long as its end was not seen.
  size_t request_line_bytes() const { return request_line_bytes_; }
  // Complete lines, the request line and the empty line included.
  size_t lines() const { return lines_; }
  const Fault& fault() const { return fault_; }

 private:
  enum class At : uint8_t { kLine, kAfterCr, kLineBegin, kAfterLastCr };
  //   kLine ──CR──> kAfterCr ──LF──> kLineBegin ──CR──> kAfterLastCr ──LF──> complete
  //     ^────────────any other byte──────┘

  Result Bad(absl::string_view reason);

  At at_ = At::kLine;
  size_t taken_ = 0;
  size_t request_line_bytes_ = 0;
  size_t lines_ = 0;
  Fault fault_;
};

// BlankLines: skips the empty lines that some clients send after a body (RFC 9112 2.2), a few of them.
class BlankLines {
 public:
  void Begin() { *this = BlankLines(); }

  // The number of bytes to skip: all of `bytes`, or what comes before the first byte of a request.
  size_t Skip(absl::string_view bytes);

  // Nothing of a blank line was seen.
  bool none() const { return lines_ == 0 && !after_cr_; }

  // Set when there were too many, or when CR and LF do not come in pairs.
  const Fault& fault() const { return fault_; }

 private:
  bool after_cr_ = false;
  int lines_ = 0;
  Fault fault_;
};

}  // namespace uc::http

#endif  // CORE_HTTP_HEAD_SCAN_H_
