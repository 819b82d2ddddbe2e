#include "tools/delay_line/network.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "core/base/check.h"

namespace uc::delay_line {
namespace {

constexpr char kDevice[] = "delay0";
constexpr char kTun[] = "/dev/net/tun";
constexpr int kTransmitQueue = 10'000;  // packets; a short one would drop before the delay does

absl::Status OsError(absl::string_view what) {
  const int error = errno;
  if (error == EPERM || error == EACCES) {
    return absl::PermissionDeniedError(absl::StrCat(
        what, ": ", strerror(error), " (run it as root, with CAP_SYS_ADMIN and CAP_NET_ADMIN)"));
  }
  return absl::FailedPreconditionError(absl::StrCat(what, ": ", strerror(error)));
}

ifreq Request(const std::string& name) {
  ifreq request = {};
  UC_CHECK(name.size() < sizeof(request.ifr_name));
  memcpy(request.ifr_name, name.data(), name.size());
  return request;
}

void SetAddress(const std::string& text, sockaddr* out) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  UC_CHECK(inet_pton(AF_INET, text.c_str(), &address.sin_addr) == 1);
  memcpy(out, &address, sizeof(address));
}

std::string Mask(int bits) {
  const in_addr mask = {htonl(~0u << (32 - bits))};
  char text[INET_ADDRSTRLEN];
  return inet_ntop(AF_INET, &mask, text, sizeof(text));
}

absl::Status BringUp(int control, const std::string& name) {
  ifreq request = Request(name);
  if (ioctl(control, SIOCGIFFLAGS, &request) != 0) return OsError(name);
  request.ifr_flags = static_cast<short>(request.ifr_flags | IFF_UP | IFF_RUNNING);
  if (ioctl(control, SIOCSIFFLAGS, &request) != 0) return OsError(name);
  return absl::OkStatus();
}

// The first address is the device's own, others are its aliases (delay0:1 ...).
absl::Status AddAddresses(int control, const NetworkOptions& options) {
  for (size_t i = 0; i < options.addresses.size(); ++i) {
    ifreq request = Request(i == 0 ? kDevice : absl::StrCat(kDevice, ":", i));
    SetAddress(options.addresses[i], &request.ifr_addr);
    if (ioctl(control, SIOCSIFADDR, &request) != 0) return OsError(options.addresses[i]);
    SetAddress(Mask(options.prefix_bits), &request.ifr_netmask);
    if (ioctl(control, SIOCSIFNETMASK, &request) != 0) return OsError(options.addresses[i]);
  }
  return absl::OkStatus();
}

absl::StatusOr<Fd> MakeDevice(const NetworkOptions& options) {
  Fd device(open(kTun, O_RDWR | O_CLOEXEC | O_NONBLOCK));
  if (!device.valid()) {
    if (errno == ENOENT || errno == ENODEV) {
      return absl::FailedPreconditionError(absl::StrCat(
          kTun, " is missing (modprobe tun; in a container: mknod ", kTun, " c 10 200)"));
    }
    return OsError(kTun);
  }
  ifreq request = Request(kDevice);
  request.ifr_flags = IFF_TUN | IFF_NO_PI;
  if (ioctl(device.get(), TUNSETIFF, &request) != 0) return OsError("a TUN device");
  const Fd control(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!control.valid()) return OsError("socket");
  request = Request(kDevice);
  request.ifr_mtu = options.mtu;
  if (ioctl(control.get(), SIOCSIFMTU, &request) != 0) return OsError("--mtu");
  request = Request(kDevice);
  request.ifr_qlen = kTransmitQueue;
  if (ioctl(control.get(), SIOCSIFTXQLEN, &request) != 0) return OsError("queue length");
  for (const char* name : {"lo", kDevice}) {
    if (absl::Status status = BringUp(control.get(), name); !status.ok()) return status;
  }
  if (absl::Status status = AddAddresses(control.get(), options); !status.ok()) return status;
  return device;
}

}  // namespace

absl::StatusOr<Network> MakeNetwork(const NetworkOptions& options) {
  const Fd before(open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
  if (!before.valid()) return OsError("/proc/self/ns/net");
  if (unshare(CLONE_NEWNET) != 0) return OsError("a network namespace");
  Network network;
  network.space.Reset(open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
  absl::StatusOr<Fd> device = MakeDevice(options);
  UC_CHECK(setns(before.get(), CLONE_NEWNET) == 0);
  if (!device.ok()) return device.status();
  network.packets = *std::move(device);
  return network;
}

}  // namespace uc::delay_line
