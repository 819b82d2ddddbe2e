// OwnListener: where a program listens whose sockets we do not see: at a port that it is told by PORT in its environment, or
// where --upstream says. It is asked for by connecting: the first connection that the program accepts may be that one,
// which is closed without a byte, as a TCP health check of a load balancer is.
//
// Its port is a free one below those that the kernel gives to outgoing connections (ip_local_port_range, ip(7)), which
// could take it before the program does. Who has it by then all the same makes the program's bind fail; the next start
// has another one. Refused: to hold the port until the program binds it, which only programs with SO_REUSEADDR could.
#ifndef CORE_FRONT_OWN_LISTENER_H_
#define CORE_FRONT_OWN_LISTENER_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/exec/launch_options.h"
#include "core/front/endpoint.h"

namespace uc::front {

class OwnListener {
 public:
  // Unavailable: no free port was found. InvalidArgument: `options.upstream`.
  static absl::StatusOr<OwnListener> Of(const exec::LaunchOptions& options, uint32_t slot,
                                        uint32_t generation);

  uint16_t port() const { return port_; }
  // "{port}", "{slot}" and "{generation}", with --upstream.
  const std::map<std::string, std::string>& words() const { return words_; }
  // nullptr: it does not listen yet.
  const Endpoint* Find() const;
  const std::string& text() const { return text_; }

 private:
  uint16_t port_ = 0;
  std::map<std::string, std::string> words_;
  std::vector<Endpoint> places_;  // the first where something listens is it
  std::string text_;
};

// Of --upstream: InvalidArgument in one line. Each worker's program needs a place of its own, and a successor another one
// than its incumbent.
absl::Status CheckUpstream(absl::string_view upstream);

}  // namespace uc::front

#endif  // CORE_FRONT_OWN_LISTENER_H_
