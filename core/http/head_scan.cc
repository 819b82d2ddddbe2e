#include "core/http/head_scan.h"

#include "core/http/find_control.h"

namespace uc::http {
namespace {

constexpr int kBlankLinesMax = 8;

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
