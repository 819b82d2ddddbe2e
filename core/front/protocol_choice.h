// ProtocolChoice: which clients of a front are read as HTTP/1, and which are tunnelled byte for byte. PURE.
//
// By what the operator says (--protocol); else by the client's first bytes, and by what the server has shown of itself:
//
//   kUnknown ──an HTTP/1 response──> kHttp         (for good, also across the server's restarts)
//       └────── it spoke first ────> kSpeaksFirst  (the same)
//
//                       kUnknown                     kHttp        kSpeaksFirst
//   HTTP/1              HTTP                         HTTP         tunnel
//   TLS, HTTP/2         tunnel                       tunnel       tunnel
//   another protocol    tunnel                       HTTP: 400    tunnel
//   undecided           wait, then tunnel            wait, then HTTP  tunnel
//   nothing             wait, then see who speaks    HTTP         tunnel
//
// What a tunnel carries is not read: no field is replaced, nothing is refused. So a server that has answered HTTP/1 gets
// no bytes of which only the server knows what they mean: it might find a request in them that nobody has looked at.
#ifndef CORE_FRONT_PROTOCOL_CHOICE_H_
#define CORE_FRONT_PROTOCOL_CHOICE_H_

#include "absl/strings/string_view.h"
#include "core/http/first_bytes.h"
#include "core/worker/outgoing.h"
#include "core/worker/worker_options.h"

namespace uc::front {

class ProtocolChoice {
 public:
  using Way = worker::Gateway::Way;
  using Patience = worker::Gateway::Patience;
  enum class Server { kUnknown, kHttp, kSpeaksFirst };

  explicit ProtocolChoice(worker::ClientProtocol protocol) : protocol_(protocol) {}

  void ServerAnswersHttp() {
    if (server_ == Server::kUnknown) server_ = Server::kHttp;
  }
  void ServerSpeaksFirst() {
    if (server_ == Server::kUnknown) server_ = Server::kSpeaksFirst;
  }
  // Whether a connection to the server is to be opened for a client that says nothing.
  bool ServerMaySpeakFirst() const {
    return protocol_ == worker::ClientProtocol::kAuto && server_ == Server::kUnknown;
  }

  // `first_bytes`: all that came. Of none, kWait with patience that is over means: see who speaks.
  Way Of(absl::string_view first_bytes, Patience patience) const {
    switch (protocol_) {
      case worker::ClientProtocol::kHttp:
        return Way::kHttp;
      case worker::ClientProtocol::kTcp:
        return Way::kTunnel;
      case worker::ClientProtocol::kAuto:
        break;
    }
    if (server_ == Server::kSpeaksFirst) return Way::kTunnel;
    const Way unknown = server_ == Server::kHttp ? Way::kHttp : Way::kTunnel;
    if (first_bytes.empty()) return server_ == Server::kHttp ? Way::kHttp : Way::kWait;
    switch (http::Classify(first_bytes)) {
      case http::FirstBytes::kHttp1:
        return Way::kHttp;
      case http::FirstBytes::kHttp2:
      case http::FirstBytes::kTls:
        return Way::kTunnel;
      case http::FirstBytes::kOther:
        return unknown;
      case http::FirstBytes::kUndecided:
        return patience == Patience::kOver ? unknown : Way::kWait;
    }
    return Way::kHttp;
  }

 private:
  const worker::ClientProtocol protocol_;
  Server server_ = Server::kUnknown;
};

}  // namespace uc::front

#endif  // CORE_FRONT_PROTOCOL_CHOICE_H_
