// Address: where a cluster listens, as the operator writes it and as the kernel wants it. Pure, but for the
// names of interfaces, which the kernel is asked for.
//
// Only a link-local IPv6 address has a scope, its interface; of others the kernel ignores it, and so does an Address:
// two of them are equal when the kernel takes them for the same.
#ifndef CORE_NET_ADDRESS_H_
#define CORE_NET_ADDRESS_H_

#include <sys/socket.h>

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace uc::net {

class Address {
 public:
  // Accepts "127.0.0.1:8080", "[::1]:8080", ":8080" and "8080" (all IPv4 interfaces), "*:8080",
  // "localhost:8080" (127.0.0.1), "[fe80::1%eth0]:8080" and "[fe80::1%2]:8080". Port 0 is allowed here: the first bind chooses it.
  // InvalidArgument says what is wrong and gives an example.
  static absl::StatusOr<Address> Parse(absl::string_view text);
  static Address FromSockaddr(const sockaddr* address, socklen_t size);

  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage_); }
  socklen_t size() const { return size_; }
  int family() const { return storage_.ss_family; }
  uint16_t port() const;  // host byte order
  // "127.0.0.1:8080", "[::1]:8080", "[fe80::1%eth0]:8080".
  std::string ToString() const;
  // The same for the Host field of a request, which names no interface (RFC 6874 section 4).
  std::string ToHost() const;
  bool is_link_local() const;  // fe80::/10
  bool is_mapped() const;      // ::ffff:a.b.c.d, an IPv4 address in an IPv6 one
  uint32_t scope() const;      // the interface's number; 0: none
  friend bool operator==(const Address& a, const Address& b);

 private:
  std::string WithZone(absl::string_view zone) const;

  sockaddr_storage storage_ = {};
  socklen_t size_ = 0;
};

}  // namespace uc::net

#endif  // CORE_NET_ADDRESS_H_
