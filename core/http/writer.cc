#include "core/http/writer.h"

#include <charconv>

#include "core/http/status_line.h"
#include "core/http/syntax.h"

namespace uc::http {
namespace {

void Append(absl::string_view text, std::string* out) { out->append(text.data(), text.size()); }

void AppendNumber(uint64_t number, int base, std::string* out) {
  char digits[20];
  const std::to_chars_result end = std::to_chars(digits, digits + sizeof(digits), number, base);
  out->append(digits, static_cast<size_t>(end.ptr - digits));
}

// A code without a line of its own: an empty reason phrase is right (RFC 9112 section 4).
void AppendStatusLine(int status, std::string* out) {
  if (status < 100 || status > 999) status = 500;
  if (const absl::string_view line = StatusLine(status); !line.empty()) {
    Append(line, out);
    return;
  }
  Append("HTTP/1.1 ", out);
  AppendNumber(static_cast<uint64_t>(status), 10, out);
  Append(" \r\n", out);
}

void AppendFraming(BodyFraming framing, uint64_t length, std::string* out) {
  switch (framing) {
    case BodyFraming::kLength:
      Append("Content-Length: ", out);
      AppendNumber(length, 10, out);
      Append("\r\n", out);
      break;
    case BodyFraming::kChunked:
      Append("Transfer-Encoding: chunked\r\n", out);
      break;
    case BodyFraming::kUntilClose:
    case BodyFraming::kNone:
      break;
  }
}

void AppendConnection(ConnectionField connection, std::string* out) {
  switch (connection) {
    case ConnectionField::kNone:
      break;
    case ConnectionField::kKeepAlive:
      Append("Connection: keep-alive\r\n", out);
      break;
    case ConnectionField::kClose:
      Append("Connection: close\r\n", out);
      break;
  }
}

bool IsOurs(absl::string_view name, bool dated) {
  switch (name.size()) {
    case 4:
      return dated && IsWord(name, "date");
    case 10:
      return IsWord(name, "connection");
    case 14:
      return IsWord(name, "content-length");
    case 17:
      return IsWord(name, "transfer-encoding");
    default:
      return false;
  }
}

bool Splits(absl::string_view value) {
  for (char c : value) {
    if (c == '\r' || c == '\n' || c == '\0') return true;
  }
  return false;
}

}  // namespace

size_t AppendResponseHead(const ResponseHead& head, std::string* out) {
  AppendStatusLine(head.status, out);
  if (!head.date.empty()) {
    Append("Date: ", out);
    Append(head.date, out);
    Append("\r\n", out);
  }
  AppendFraming(head.framing, head.content_length, out);
  AppendConnection(head.connection, out);
  size_t left_out = 0;
  for (const Field& field : head.fields) {
    if (!IsToken(field.name) || IsOurs(field.name, !head.date.empty()) || Splits(field.value)) {
      ++left_out;
      continue;
    }
    Append(field.name, out);
    Append(": ", out);
    Append(field.value, out);
    Append("\r\n", out);
  }
  Append("\r\n", out);
  return left_out;
}

[[gnu::hot]] bool HeadWriter::IsLike(const ResponseHead& head) const {
  if (head.status != status_ || head.connection != connection_ || head.date != date_) return false;
  if (head.fields.empty()) return name_.empty();
  return head.fields[0].value == value_ && head.fields[0].name == name_;
}

void HeadWriter::SetLength(uint64_t length) {
  char digits[20];
  const std::to_chars_result end = std::to_chars(digits, digits + sizeof(digits), length);
  const size_t size = static_cast<size_t>(end.ptr - digits);
  text_.replace(digits_at_, digits_, digits, size);
  digits_ = size;
  length_ = length;
}

[[gnu::hot]] size_t HeadWriter::Append(const ResponseHead& head, std::string* out) {
  if (head.framing != BodyFraming::kLength || head.fields.size() > 1) {
    return AppendResponseHead(head, out);
  }
  if (IsLike(head)) {
    if (head.content_length != length_) SetLength(head.content_length);
    out->append(text_);
    return 0;
  }
  const size_t begin = out->size();
  const size_t left_out = AppendResponseHead(head, out);
  status_ = 0;  // no head is like this one, until all is set
  if (left_out > 0) return left_out;
  constexpr char kName[] = "\r\nContent-Length: ";
  text_.assign(*out, begin);
  digits_at_ = text_.find(kName) + sizeof(kName) - 1;
  digits_ = text_.find('\r', digits_at_) - digits_at_;
  length_ = head.content_length;
  connection_ = head.connection;
  date_ = std::string(head.date);
  name_ = head.fields.empty() ? "" : std::string(head.fields[0].name);
  value_ = head.fields.empty() ? "" : std::string(head.fields[0].value);
  status_ = head.status;
  return 0;
}

void AppendChunk(absl::string_view bytes, std::string* out) {
  // A chunk of no bytes would be the last one.
  if (bytes.empty()) return;
  AppendNumber(bytes.size(), 16, out);
  Append("\r\n", out);
  Append(bytes, out);
  Append("\r\n", out);
}

void AppendLastChunk(std::string* out) { Append("0\r\n\r\n", out); }

void AppendErrorResponse(int status, absl::string_view date, ErrorBody body, std::string* out) {
  std::string text;
  AppendNumber(static_cast<uint64_t>(status), 10, &text);
  Append(" ", &text);
  Append(ReasonPhrase(status), &text);
  Append("\n", &text);
  const Field fields[] = {{"Content-Type", "text/plain; charset=utf-8"}};
  AppendResponseHead({.status = status,
                      .fields = fields,
                      .date = date,
                      .connection = ConnectionField::kClose,
                      .content_length = text.size()},
                     out);
  if (body == ErrorBody::kInclude) Append(text, out);
}

}  // namespace uc::http
