#include "core/http/forwarding.h"

#include <algorithm>
#include <charconv>

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "core/http/origin_target.h"
#include "core/http/status_line.h"
#include "core/http/syntax.h"

namespace uc::http {
namespace {

using absl::string_view;

void Append(string_view text, std::string* out) { out->append(text.data(), text.size()); }

void AppendNumber(uint64_t number, std::string* out) {
  char digits[20];
  const std::to_chars_result end = std::to_chars(digits, digits + sizeof(digits), number);
  out->append(digits, static_cast<size_t>(end.ptr - digits));
}

void AppendField(string_view name, string_view value, std::string* out) {
  Append(name, out);
  Append(": ", out);
  Append(value, out);
  Append("\r\n", out);
}

// About one connection, whatever the Connection field says (RFC 9110 7.6.1); Proxy-Connection is an old client's
// Connection.
bool IsHopByHop(string_view name) {
  switch (name.size()) {
    case 2:
      return IsWord(name, "te");
    case 7:
      return IsWord(name, "upgrade");
    case 10:
      return IsWord(name, "connection") || IsWord(name, "keep-alive");
    case 14:
      return IsWord(name, "http2-settings");
    case 16:
      return IsWord(name, "proxy-connection");
    case 17:
      return IsWord(name, "transfer-encoding");
    default:
      return false;
  }
}

// '_' counts as '-': CGI's and WSGI's environment does not tell them apart, so X_Forwarded_For would be a forgery.
bool IsLike(string_view name, string_view word) {
  if (name.size() != word.size()) return false;
  for (size_t i = 0; i < name.size(); ++i) {
    char c = name[i];
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c | 0x20);
    if (c == '_') c = '-';
    if (c != word[i]) return false;
  }
  return true;
}

// A second statement about the body for who takes '_' for '-' (CVE-2024-45614 is of that kind).
bool IsForgedFraming(string_view name) {
  switch (name.size()) {
    case 14:
      return IsLike(name, "content-length") && !IsWord(name, "content-length");
    case 17:
      return IsLike(name, "transfer-encoding");
    default:
      return false;
  }
}

enum class Told { kNot, kFor, kProto, kHost, kForwarded };

// The fields in which the program is told who the client is.
Told ToldBy(string_view name) {
  switch (name.size()) {
    case 9:
      return IsLike(name, "forwarded") ? Told::kForwarded : Told::kNot;
    case 15:
      return IsLike(name, "x-forwarded-for") ? Told::kFor : Told::kNot;
    case 16:
      return IsLike(name, "x-forwarded-host") ? Told::kHost : Told::kNot;
    case 17:
      return IsLike(name, "x-forwarded-proto") ? Told::kProto : Told::kNot;
    default:
      return Told::kNot;
  }
}

// What a Connection field cannot take away.
bool IsEssential(string_view name) {
  return IsWord(name, "host") || IsWord(name, "content-length") || IsWord(name, "content-type") ||
         IsWord(name, "cookie") || IsWord(name, "authorization") || IsWord(name, "close") ||
         ToldBy(name) != Told::kNot;
}

// The names that the Connection fields list, beyond those that end here anyway. A view over the fields: heads with
// such a list are rare, and short.
class Listed {
 public:
  explicit Listed(absl::Span<const Field> fields) : fields_(fields) {
    for (const Field& field : fields) {
      if (!IsWord(field.name, "connection")) continue;
      if (IsWord(field.value, "keep-alive") || IsWord(field.value, "close")) continue;
      any_ = true;
    }
  }
  bool Has(string_view name) const {
    if (!any_ || IsEssential(name)) return false;
    for (const Field& field : fields_) {
      if (!IsWord(field.name, "connection")) continue;
      if (Contains(field.value, name)) return true;
    }
    return false;
  }
  bool HasOption(string_view option) const {
    for (const Field& field : fields_) {
      if (IsWord(field.name, "connection") && Contains(field.value, option)) return true;
    }
    return false;
  }

 private:
  static bool Contains(string_view list, string_view name) {
    while (!list.empty()) {
      const size_t comma = list.find(',');
      if (absl::EqualsIgnoreCase(StripWhitespace(list.substr(0, comma)), name)) return true;
      if (comma == string_view::npos) return false;
      list.remove_prefix(comma + 1);
    }
    return false;
  }

  const absl::Span<const Field> fields_;
  bool any_ = false;
};

// RFC 7239 section 6: an address with colons is quoted and in brackets.
void AppendNode(string_view address, std::string* out) {
  if (address.find(':') == string_view::npos) {
    Append(address, out);
    return;
  }
  Append("\"[", out);
  Append(address, out);
  Append("]\"", out);
}

void AppendQuoted(string_view text, std::string* out) {
  if (IsToken(text)) {
    Append(text, out);
    return;
  }
  out->push_back('"');
  for (const char c : text) {
    if (c == '"' || c == '\\') out->push_back('\\');
    out->push_back(c);
  }
  out->push_back('"');
}

// Values of the fields of one kind, joined as a list (RFC 9110 5.3), and a comma behind them if there are any.
void AppendFormer(const RequestHead& head, Told told, std::string* out) {
  for (const Field& field : head.fields) {
    if (ToldBy(field.name) != told || field.value.empty()) continue;
    Append(field.value, out);
    Append(", ", out);
  }
}

string_view First(const RequestHead& head, Told told) {
  for (const Field& field : head.fields) {
    if (ToldBy(field.name) == told && !field.value.empty()) return field.value;
  }
  return string_view();
}

void AppendClient(const RequestHead& head, const ForwardedClient& client, string_view host,
                  std::string* out) {
  const bool kept = client.trust == ForwardedClient::Trust::kAppend;
  Append("X-Forwarded-For: ", out);
  if (kept) AppendFormer(head, Told::kFor, out);
  Append(client.address, out);
  const string_view proto = kept ? First(head, Told::kProto) : string_view();
  Append("\r\nX-Forwarded-Proto: ", out);
  Append(proto.empty() ? client.proto : proto, out);
  const string_view told_host = kept ? First(head, Told::kHost) : string_view();
  Append("\r\nX-Forwarded-Host: ", out);
  Append(told_host.empty() ? host : told_host, out);
  Append("\r\n", out);
  // A proxy that goes by the other fields says less in this one than it knows: alone, our part of it would be taken for
  // the whole, by programs that prefer it.
  if (kept && First(head, Told::kForwarded).empty() &&
      !(First(head, Told::kFor).empty() && proto.empty() && told_host.empty())) {
    return;
  }
  Append("Forwarded: ", out);
  if (kept) AppendFormer(head, Told::kForwarded, out);
  Append("for=", out);
  AppendNode(client.address, out);
  if (!host.empty()) {
    Append(";host=", out);
    AppendQuoted(host, out);
  }
  Append(";proto=", out);
  Append(client.proto, out);
  Append("\r\n", out);
}

// "h2c", "h2c-14", "HTTP/2.0" and the like.
bool IsHttpVersion(string_view protocol) {
  const string_view name = protocol.substr(0, protocol.find('/'));
  return absl::StartsWithIgnoreCase(name, "h2") || absl::EqualsIgnoreCase(name, "http") ||
         absl::StartsWithIgnoreCase(name, "http-");
}

// Those that an Upgrade field offers and that are no version of HTTP; of other fields none.
template <typename Call>
void ForEachProtocol(const Field& field, const Call& call) {
  if (!IsWord(field.name, "upgrade")) return;
  for (string_view protocol : absl::StrSplit(field.value, ',')) {
    protocol = StripWhitespace(protocol);
    if (!protocol.empty() && !IsHttpVersion(protocol)) call(protocol);
  }
}

// A member of TE of which no coding is meant: gRPC insists on it.
bool AcceptsTrailers(string_view te) {
  for (const string_view member : absl::StrSplit(te, ',')) {
    if (absl::EqualsIgnoreCase(StripWhitespace(member), "trailers")) return true;
  }
  return false;
}

void AppendUpgrade(absl::Span<const Field> fields, std::string* out) {
  string_view before = "Upgrade: ";
  for (const Field& field : fields) {
    ForEachProtocol(field, [&](string_view protocol) {
      Append(before, out);
      Append(protocol, out);
      before = ", ";
    });
  }
  Append("\r\n", out);
  AppendField("Connection", "Upgrade", out);
}

void AppendStatus(const ResponseMessage& head, std::string* out) {
  const string_view line = StatusLine(head.status);
  if (!line.empty() && ReasonPhrase(head.status) == head.reason) {
    Append(line, out);
    return;
  }
  Append("HTTP/1.1 ", out);
  AppendNumber(static_cast<uint64_t>(head.status), out);
  out->push_back(' ');
  Append(head.reason, out);
  Append("\r\n", out);
}

}  // namespace

bool AsksForUpgrade(const RequestHead& head) {
  if (head.minor_version == 0 || head.field("upgrade").data() == nullptr) return false;
  const auto offers = [](const Field& field) {
    bool other = false;
    ForEachProtocol(field, [&](string_view) { other = true; });
    return other;
  };
  return Listed(head.fields).HasOption("upgrade") &&
         std::any_of(head.fields.begin(), head.fields.end(), offers);
}

bool AsksForTunnel(const RequestHead& head) {
  return AsksForUpgrade(head) || head.method == "CONNECT";
}

void AppendForwardedRequest(const RequestHead& head, const ForwardedClient& client,
                            std::string* out) {
  const OriginTarget target = ToOriginTarget(head.method, head.target);
  Append(head.method, out);
  out->push_back(' ');
  Append(target.slash, out);
  Append(target.rest, out);
  Append(" HTTP/1.1\r\n", out);
  const Listed listed(head.fields);
  string_view host = target.host;
  if (host.data() != nullptr) AppendField("Host", host, out);
  for (const Field& field : head.fields) {
    const string_view name = field.name;
    if (IsWord(name, "host")) {
      if (target.host.data() != nullptr) continue;
      host = field.value;
    }
    if (IsWord(name, "te") && AcceptsTrailers(field.value)) AppendField("TE", "trailers", out);
    if (IsHopByHop(name) || IsWord(name, "expect") || ToldBy(name) != Told::kNot ||
        IsForgedFraming(name) || listed.Has(name)) {
      continue;
    }
    AppendField(name, field.value, out);
  }
  if (AsksForUpgrade(head)) AppendUpgrade(head.fields, out);
  if (head.expects_continue && HasBody(head)) AppendField("Expect", "100-continue", out);
  if (head.chunked) AppendField("Transfer-Encoding", "chunked", out);
  if (host.data() == nullptr) {
    host = client.default_host;
    AppendField("Host", host, out);
  }
  AppendClient(head, client, host, out);
  Append("\r\n", out);
}

BodyFraming ForwardedBody(const ResponseMessage& head, int minor_version) {
  using Body = ResponseMessage::Body;
  switch (head.body) {
    case Body::kLength:
      return BodyFraming::kLength;
    case Body::kChunked:
    case Body::kUntilClose:
      return minor_version == 0 ? BodyFraming::kUntilClose : BodyFraming::kChunked;
    case Body::kNone:
      return head.content_length.has_value() && head.status != 204 ? BodyFraming::kLength
                                                                   : BodyFraming::kNone;
    case Body::kInterim:
    case Body::kTunnel:
      break;
  }
  return BodyFraming::kNone;
}

void AppendForwardedResponse(const ResponseMessage& head, const ForwardedFraming& framing,
                             std::string* out) {
  AppendStatus(head, out);
  const Listed listed(head.fields);
  bool dated = framing.date.empty();
  for (const Field& field : head.fields) {
    const string_view name = field.name;
    if (IsHopByHop(name) || IsWord(name, "content-length") || listed.Has(name)) continue;
    dated = dated || IsWord(name, "date");
    AppendField(name, field.value, out);
  }
  if (!dated) AppendField("Date", framing.date, out);
  switch (framing.framing) {
    case BodyFraming::kLength:
      Append("Content-Length: ", out);
      AppendNumber(framing.content_length, out);
      Append("\r\n", out);
      break;
    case BodyFraming::kChunked:
      Append("Transfer-Encoding: chunked\r\n", out);
      break;
    case BodyFraming::kUntilClose:
    case BodyFraming::kNone:
      break;
  }
  switch (framing.connection) {
    case ConnectionField::kNone:
      break;
    case ConnectionField::kKeepAlive:
      Append("Connection: keep-alive\r\n", out);
      break;
    case ConnectionField::kClose:
      Append("Connection: close\r\n", out);
      break;
  }
  Append("\r\n", out);
}

void AppendUpgradeResponse(const ResponseMessage& head, std::string* out) {
  AppendStatus(head, out);
  for (const Field& field : head.fields) {
    if (IsWord(field.name, "content-length") || IsWord(field.name, "transfer-encoding")) continue;
    AppendField(field.name, field.value, out);
  }
  Append("\r\n", out);
}

void AppendInterimResponse(const ResponseMessage& head, std::string* out) {
  AppendForwardedResponse(head, {.framing = BodyFraming::kNone}, out);
}

void AppendLastChunk(absl::Span<const Field> trailers, std::string* out) {
  Append("0\r\n", out);
  for (const Field& field : trailers) {
    const string_view name = field.name;
    if (IsHopByHop(name) || IsEssential(name) || IsWord(name, "trailer") ||
        IsWord(name, "content-encoding") || IsWord(name, "content-range") ||
        IsWord(name, "cache-control") || IsWord(name, "set-cookie") || IsWord(name, "location") ||
        IsWord(name, "expect")) {
      continue;
    }
    AppendField(name, field.value, out);
  }
  Append("\r\n", out);
}

}  // namespace uc::http
