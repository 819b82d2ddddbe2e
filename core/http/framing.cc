#include "core/http/framing.h"

#include <cstdint>
#include <limits>
#include <optional>

#include "core/http/host.h"
#include "core/http/syntax.h"

namespace uc::http {
namespace {

using absl::string_view;

constexpr uint64_t kLengthMax = std::numeric_limits<int64_t>::max();

constexpr CharClass kDigits = CharsOf("0123456789", "");

std::optional<uint64_t> ParseLength(string_view text) {
  if (text.empty() || !AllIn(kDigits, text)) return std::nullopt;
  uint64_t length = 0;
  for (char c : text) {
    const uint64_t digit = static_cast<uint64_t>(c - '0');
    if (length > (kLengthMax - digit) / 10) return std::nullopt;
    length = length * 10 + digit;
  }
  return length;
}

// Takes the next member off a comma separated list. Empty members are members; null data: no more.
string_view TakeMember(string_view* list) {
  const size_t comma = list->find(',');
  const string_view member = StripWhitespace(list->substr(0, comma));
  *list = comma == string_view::npos ? string_view() : list->substr(comma + 1);
  return member;
}

// Only "chunked" is understood. 501 for codings that we do not know, as long as the list is well
// formed (RFC 9112 6.1); 400 for what cannot be framed by anyone: chunked that is not the last, or twice.
Fault JudgeCoding(string_view value) {
  if (IsWord(value, "chunked")) return Fault();
  bool chunked = false;
  while (value.data() != nullptr) {
    const string_view coding = TakeMember(&value);
    if (chunked || !IsToken(coding.substr(0, coding.find(';')))) {
      return Fault{.status = 400, .reason = "malformed Transfer-Encoding"};
    }
    chunked = IsWord(coding, "chunked");
  }
  return Fault{.status = 501, .reason = "Transfer-Encoding other than chunked"};
}

// The fields seen so far that matter for framing.
struct Seen {
  int hosts = 0;
  bool coded = false;
  Fault coding;  // judged at the end: a length beside it is the graver fault
  bool close = false;
  bool keep_alive = false;
};

void ReadConnection(string_view value, Seen* seen) {
  if (IsWord(value, "keep-alive")) {  // what nearly all say who say something
    seen->keep_alive = true;
    return;
  }
  while (value.data() != nullptr) {
    const string_view option = TakeMember(&value);
    seen->close = seen->close || IsWord(option, "close");
    seen->keep_alive = seen->keep_alive || IsWord(option, "keep-alive");
  }
}

template <typename Head>
Fault ReadLength(string_view value, Head* head) {
  // Two equal ones could be taken for one (RFC 9110 8.6), but no client sends them.
  if (head->content_length.has_value()) {
    return Fault{.status = 400, .reason = "repeated Content-Length"};
  }
  head->content_length = ParseLength(value);
  if (!head->content_length) return Fault{.status = 400, .reason = "malformed Content-Length"};
  return Fault();
}

template <typename Head>
Fault ReadCoding(string_view value, Seen* seen, Head* head) {
  if (seen->coded) return Fault{.status = 400, .reason = "repeated Transfer-Encoding"};
  seen->coded = true;
  // RFC 9112 6.1: faulty framing, as HTTP/1.0 has no Transfer-Encoding.
  if (head->minor_version == 0) {
    return Fault{.status = 400, .reason = "Transfer-Encoding in HTTP/1.0"};
  }
  head->chunked = true;
  seen->coding = JudgeCoding(value);
  return Fault();
}

Fault ReadHost(string_view value, Seen* seen) {
  if (++seen->hosts > 1) return Fault{.status = 400, .reason = "repeated Host"};
  if (!IsHost(value)) return Fault{.status = 400, .reason = "malformed Host"};
  return Fault();
}

// The fields that say where a body ends and what becomes of the connection: named here, and nowhere else.
enum class Subject { kOther, kHost, kExpect, kConnection, kContentLength, kTransferEncoding };

// The size of the name tells the five apart from most others.
bool MayMatter(string_view name) {
  constexpr uint32_t kSizes = 1u << 4 | 1u << 6 | 1u << 10 | 1u << 14 | 1u << 17;
  return name.size() <= 17 && (kSizes >> name.size() & 1) != 0;
}

Subject SubjectOf(string_view name) {
  if (!MayMatter(name)) return Subject::kOther;
  switch (name.size()) {
    case 4:
      return IsWord(name, "host") ? Subject::kHost : Subject::kOther;
    case 6:
      return IsWord(name, "expect") ? Subject::kExpect : Subject::kOther;
    case 10:
      return IsWord(name, "connection") ? Subject::kConnection : Subject::kOther;
    case 14:
      return IsWord(name, "content-length") ? Subject::kContentLength : Subject::kOther;
    case 17:
      return IsWord(name, "transfer-encoding") ? Subject::kTransferEncoding : Subject::kOther;
    default:
      return Subject::kOther;
  }
}

Fault ReadField(const Field& field, Seen* seen, ResponseMessage* head) {
  switch (SubjectOf(field.name)) {
    case Subject::kConnection:
      ReadConnection(field.value, seen);
      break;
    case Subject::kContentLength:
      return ReadLength(field.value, head);
    case Subject::kTransferEncoding:
      return ReadCoding(field.value, seen, head);
    case Subject::kHost:
    case Subject::kExpect:
    case Subject::kOther:
      break;
  }
  return Fault();
}

Fault ReadField(const Field& field, Seen* seen, RequestHead* head) {
  switch (SubjectOf(field.name)) {
    case Subject::kHost:
      return ReadHost(field.value, seen);
    case Subject::kExpect:
      // RFC 9110 10.1.1: other expectations are ignored, and all those of HTTP/1.0.
      if (head->minor_version == 1) {
        head->expects_continue = head->expects_continue || IsWord(field.value, "100-continue");
      }
      break;
    case Subject::kConnection:
      ReadConnection(field.value, seen);
      break;
    case Subject::kContentLength:
      return ReadLength(field.value, head);
    case Subject::kTransferEncoding:
      return ReadCoding(field.value, seen, head);
    case Subject::kOther:
      break;
  }
  return Fault();
}

}  // namespace

bool BearsOnFraming(string_view name) { return SubjectOf(name) != Subject::kOther; }

Fault ReadFraming(RequestHead* head) {
  head->content_length.reset();
  head->chunked = false;
  head->expects_continue = false;
  Seen seen;
  for (const Field& field : head->fields) {
    if (const Fault fault = ReadField(field, &seen, head)) return fault;
  }
  if (seen.hosts == 0 && head->minor_version == 1) {
    return Fault{.status = 400, .reason = "no Host"};
  }
  if (head->chunked && head->content_length.has_value()) {
    return Fault{.status = 400, .reason = "both Content-Length and Transfer-Encoding"};
  }
  if (seen.coding) return seen.coding;
  head->keep_alive = !seen.close && (head->minor_version == 1 || seen.keep_alive);
  return Fault();
}

Fault ReadFraming(ResponseMessage* head) {
  constexpr int kBadGateway = 502;
  head->content_length.reset();
  head->chunked = false;
  Seen seen;
  for (const Field& field : head->fields) {
    if (const Fault fault = ReadField(field, &seen, head)) return {kBadGateway, fault.reason};
  }
  if (head->chunked && head->content_length.has_value()) {
    return {kBadGateway, "both Content-Length and Transfer-Encoding"};
  }
  if (seen.coding) return {kBadGateway, seen.coding.reason};
  head->keep_alive = !seen.close && (head->minor_version == 1 || seen.keep_alive);
  return Fault();
}

ResponseMessage::Body BodyOf(const ResponseMessage& head, Answers request) {
  using Body = ResponseMessage::Body;
  if (head.status == 101) return Body::kTunnel;
  if (head.status < 200) return Body::kInterim;
  if (request == Answers::kConnect && head.status < 300) return Body::kTunnel;
  if (request == Answers::kHead || head.status == 204 || head.status == 304) return Body::kNone;
  if (head.chunked) return Body::kChunked;
  return head.content_length.has_value() ? Body::kLength : Body::kUntilClose;
}

}  // namespace uc::http
