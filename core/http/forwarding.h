// What a gateway changes in the head of a message on its way (RFC 9110 section 7.6, RFC 7239). Pure.
//
// Fields that are about one connection end here: those of the standard, and those that the Connection field names.
// Not what a sender might name there to be rid of it: Host, the framing, and the fields that say who the client is
// are ours to write. Everything else passes as it was sent, in its order.
// Refused: a Via field. RFC 9110 7.6.3 asks a gateway for one, but programs take it for a sign of a foreign proxy
// and answer differently (no compression), and nothing here can form a loop.
#ifndef CORE_HTTP_FORWARDING_H_
#define CORE_HTTP_FORWARDING_H_

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "core/http/message.h"
#include "core/http/writer.h"

namespace uc::http {

// What the program is told of the client.
struct ForwardedClient {
  // From another proxy of ours: what it says of its own client is kept, and this one appended. Else what a client
  // says of itself is replaced.
  enum class Trust { kReplace, kAppend };
  Trust trust = Trust::kReplace;
  absl::string_view address;  // "127.0.0.1", "::1"
  absl::string_view proto;    // "http"
  absl::string_view
      default_host;  // for a request without a Host field (HTTP/1.0): "127.0.0.1:8080"
};

// The protocol change that a request asks for, as one of "Upgrade: websocket" does; without it none is passed on. A change
// to another version of HTTP is none: the requests behind it would pass unread ("Upgrade: h2c" is how a proxy's rules are
// got round), and who offers it has to go on in HTTP/1.1 where nobody takes it (RFC 9110 7.8).
bool AsksForUpgrade(const RequestHead& head);
// Or for CONNECT: what the server agrees to is a tunnel.
bool AsksForTunnel(const RequestHead& head);

// Appends the head of the request for the program, always as HTTP/1.1 on a connection that is kept. Framing follows
// `head`; the target is as an origin server wants it (origin_target.h). Of expectations 100-continue is passed on, with a
// body: what the server says to it is the answer.
void AppendForwardedRequest(const RequestHead& head, const ForwardedClient& client,
                            std::string* out);

// How its body goes on to a client of that minor version: one that understands chunks, or does not. Of a response to HEAD
// and of a 304 the length is said and no body follows (RFC 9110 8.6).
BodyFraming ForwardedBody(const ResponseMessage& head, int minor_version);

// How the response that is passed on goes on behind its head, on the client's connection.
struct ForwardedFraming {
  BodyFraming framing = BodyFraming::kLength;  // kNone: no field of it is written
  uint64_t content_length = 0;
  ConnectionField connection = ConnectionField::kNone;
  absl::string_view date;  // is written if the program has sent none
};
void AppendForwardedResponse(const ResponseMessage& head, const ForwardedFraming& framing,
                             std::string* out);
// 101 and 2xx to CONNECT: connection fields pass.
void AppendUpgradeResponse(const ResponseMessage& head, std::string* out);
// 1xx: the head alone.
void AppendInterimResponse(const ResponseMessage& head, std::string* out);

// Of a request or a response: the last chunk and those trailers that may pass: none that bear on framing, routing or the connection (RFC 9110 6.5.1).
void AppendLastChunk(absl::Span<const Field> trailers, std::string* out);

}  // namespace uc::http

#endif  // CORE_HTTP_FORWARDING_H_
