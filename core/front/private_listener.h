// PrivateListener: the listening socket through which a worker reaches the program behind it: a UNIX socket without a
// name in any folder. Whoever wants to connect needs our descriptor of it (/proc/PID/fd asks for our rights), so no other
// process of this machine gets past the worker.
//
// The program gets it in the place of the TCP socket that it was about to bind, whose address is in the name that the
// kernel keeps (exec/preload/site_name.h). Refused: loopback TCP, which every local user can connect to.
#ifndef CORE_FRONT_PRIVATE_LISTENER_H_
#define CORE_FRONT_PRIVATE_LISTENER_H_

#include <utility>

#include "absl/status/statusor.h"
#include "core/base/fd.h"
#include "core/front/endpoint.h"
#include "core/net/address.h"
#include "core/net/random_steering.h"

namespace uc::front {

class PrivateListener {
 public:
  // Bound, not listening. `site`: what it stands for.
  static absl::StatusOr<PrivateListener> Make(const net::Address& site);

  const net::Address& site() const { return site_; }
  int fd() const { return socket_.get(); }
  // The program has called listen().
  bool listens() const { return net::Listens(socket_); }
  // The program has called shutdown(2) on it. A TCP listener can listen again after that, one of these never.
  bool IsShutDown() const;
  Endpoint endpoint() const { return Endpoint::OfDescriptor(path_.get()); }

 private:
  PrivateListener(const net::Address& site, Fd socket, Fd path)
      : site_(site), socket_(std::move(socket)), path_(std::move(path)) {}
  net::Address site_;
  Fd socket_;  // ours, so that it outlives a program that ends
  Fd path_;    // O_PATH
};

}  // namespace uc::front

#endif  // CORE_FRONT_PRIVATE_LISTENER_H_
