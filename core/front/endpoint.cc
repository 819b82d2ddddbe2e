#include "core/front/endpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <string.h>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace uc::front {
namespace {

absl::StatusOr<sockaddr_un> UnixAddress(absl::string_view path, socklen_t* size) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof(address.sun_path)) {
    return absl::InvalidArgumentError(
        absl::StrCat("unix:", path, ": a path of 1 to ", sizeof(address.sun_path) - 1, " bytes"));
  }
  memcpy(address.sun_path, path.data(), path.size());
  *size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + 1);
  return address;
}

}  // namespace

absl::StatusOr<Endpoint> Endpoint::Parse(absl::string_view text) {
  Endpoint endpoint;
  endpoint.text_ = std::string(text);
  if (absl::string_view path = text; absl::ConsumePrefix(&path, "unix:")) {
    const absl::StatusOr<sockaddr_un> address = UnixAddress(path, &endpoint.size_);
    if (!address.ok()) return address.status();
    memcpy(&endpoint.address_, &*address, sizeof(*address));
    return endpoint;
  }
  const absl::StatusOr<net::Address> address = net::Address::Parse(text);
  if (!address.ok()) return address.status();
  if (address->port() == 0) {
    return absl::InvalidArgumentError(absl::StrCat(text, ": the port of a server is not 0"));
  }
  memcpy(&endpoint.address_, address->get(), address->size());
  endpoint.size_ = address->size();
  return endpoint;
}

Endpoint Endpoint::OfDescriptor(int path_descriptor) {
  Endpoint endpoint;
  const std::string path = absl::StrCat("/proc/self/fd/", path_descriptor);
  const absl::StatusOr<sockaddr_un> address = UnixAddress(path, &endpoint.size_);
  memcpy(&endpoint.address_, &*address, sizeof(*address));
  endpoint.text_ = "the program's private socket";
  return endpoint;
}

absl::StatusOr<Fd> Endpoint::Connect() const {
  Fd fd(socket(address_.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return absl::ResourceExhaustedError(absl::StrCat("socket: ", strerror(errno)));
  int error = 0;
  if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&address_), size_) != 0) error = errno;
  if (error == EINPROGRESS) {
    // On this machine the answer is there when connect(2) returns: the SYN waits for the socket's lock alone
    // (release_sock in net/core/sock.c). A refusal that is seen now costs no request that may not be sent twice.
    socklen_t size = sizeof(error);
    getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &size);
  }
  if (error != 0) return absl::UnavailableError(absl::StrCat(text_, ": ", strerror(error)));
  // io_uring gives up on a non-blocking socket where it should wait (REQ_F_NOWAIT).
  fcntl(fd.get(), F_SETFL, O_RDWR);
  if (address_.ss_family != AF_UNIX) {
    const int on = 1;
    setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  }
  return fd;
}

}  // namespace uc::front
