// Claims: the addresses that a program has asked for, beyond those of --listen, held as long as a slot listens there.
//
// What nobody listens on a while after it was asked for, and nobody else has either (a program that has bound it and
// takes its time), is given back. A program that restarts in place finds its address as it left it.
//
// All slots are given the same address for the same wish, port 0 included, and nobody else can have it: a claim is a
// bound socket that never listens. SO_REUSEPORT alone would let another cluster share it unnoticed.
#ifndef CORE_COORDINATOR_CLAIMS_H_
#define CORE_COORDINATOR_CLAIMS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "core/base/fd.h"
#include "core/link/message.h"
#include "core/net/address.h"

namespace uc::coordinator {

class Claims {
 public:
  static constexpr absl::Duration kGiveBackAfter = absl::Seconds(10);

  // kYes: an address beside one that is held, on the same port, such as 0.0.0.0 beside 127.0.0.1: of a new version of the
  // program, while the former one serves.
  enum class BesideHeld { kNo, kYes };
  // The address with its port resolved. Errors as net::Bind's.
  absl::StatusOr<net::Address> Take(const link::Claim& claim, absl::Time now,
                                    BesideHeld beside = BesideHeld::kNo);
  // Take, in the words of the link.
  link::Claimed Answer(const link::Claim& claim, absl::Time now,
                       BesideHeld beside = BesideHeld::kNo);
  // A slot listens there: it stays.
  void Listened(const net::Address& address);

  // When to look for what can be given back; InfiniteFuture: a slot listens on each.
  absl::Time due() const;
  // What was given back; the others are looked at again later.
  std::vector<net::Address> GiveBack(absl::Time now);
  // In the order in which they came.
  std::vector<net::Address> addresses() const;

  // For the scoreboard, and back from there: a coordinator that comes after this one. What cannot be claimed again
  // is held by the slots' listeners, and only remembered.
  std::string ToText() const;
  void Restore(absl::string_view text, absl::Time now);

 private:
  struct Held {
    std::string wish;  // "[::]:0 1 dual": address, ordinal, kind
    net::Address address;
    Fd socket;
    absl::Time look_at;  // InfiniteFuture: a slot listens there
  };
  static bool IsNeeded(Held& held);
  bool HoldsPort(uint16_t port) const;
  std::vector<Held> held_;
};

}  // namespace uc::coordinator

#endif  // CORE_COORDINATOR_CLAIMS_H_
