// Writer: heads and chunks of responses, appended to the caller's buffer. Pure.
#ifndef CORE_HTTP_WRITER_H_
#define CORE_HTTP_WRITER_H_

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "core/http/message.h"

namespace uc::http {

// "Mon, 23 Nov 2026 16:11:07 GMT" (IMF-fixdate, RFC 9110 5.6.7). Always 29 bytes: times outside of the
// years 0 to 9999 become the nearest second within.
std::string FormatDate(absl::Time time);
// Accepts the three forms of RFC 9110 5.6.7, with the right day of the week; nullopt for anything else.
std::optional<absl::Time> ParseDate(absl::string_view text);

// The Date field, formatted once per second. Set() is cheap when the second has not changed.
class DateCache {
 public:
  void Set(absl::Time now);
  absl::string_view text() const { return text_; }

 private:
  int64_t second_ = std::numeric_limits<int64_t>::min();
  std::string text_;
};

enum class ConnectionField { kNone, kKeepAlive, kClose };
enum class BodyFraming { kLength, kChunked, kUntilClose, kNone };  // kNone: 1xx, 204, 304

struct ResponseHead {
  int status = 200;  // 100 to 999; anything else is written as 500
  // The app's. Left out and counted: names that are no token, values with CR, LF or NUL (they would split
  // the head), and names that say again what is ours: Content-Length, Transfer-Encoding, Connection, and
  // Date if `date` is set.
  absl::Span<const Field> fields;
  absl::string_view date;                               // empty: no Date field
  ConnectionField connection = ConnectionField::kNone;  // kKeepAlive is only needed for HTTP/1.0
  BodyFraming framing = BodyFraming::kLength;
  uint64_t content_length = 0;  // for kLength; also for HEAD
};

// Appends status line, Date, the framing and connection fields, `fields` and the empty line. Returns how
// many fields were left out.
size_t AppendResponseHead(const ResponseHead& head, std::string* out);

// The same for one app after another: where only the length differs from the head before it, that one is
// copied. Most answers of an app are such, within a second.
class HeadWriter {
 public:
  size_t Append(const ResponseHead& head, std::string* out);

 private:
  bool IsLike(const ResponseHead& head) const;
  void SetLength(uint64_t length);

  // The last head of one field at most and of BodyFraming::kLength, and where its length stands.
  std::string text_;
  size_t digits_at_ = 0;
  size_t digits_ = 0;
  uint64_t length_ = 0;
  int status_ = 0;
  ConnectionField connection_ = ConnectionField::kNone;
  std::string date_;
  std::string name_;  // empty: no field
  std::string value_;
};

void AppendChunk(absl::string_view bytes, std::string* out);  // nothing for no bytes
void AppendLastChunk(std::string* out);

// A whole small error answer with a one-line text body and Connection: close.
enum class ErrorBody { kInclude, kOmit };  // kOmit: the answer to a HEAD
void AppendErrorResponse(int status, absl::string_view date, ErrorBody body, std::string* out);

inline constexpr absl::string_view kContinueResponse = "HTTP/1.1 100 Continue\r\n\r\n";

}  // namespace uc::http

#endif  // CORE_HTTP_WRITER_H_
