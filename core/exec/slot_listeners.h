// SlotListeners: the listeners of a slot whose worker is a program, and which of them the program gets when it binds
// and listens.
//
// With --listen these are the cluster's addresses, whatever the program asks for: one with the same port first, else
// the first that nobody has. What is left over, and everything without --listen, is claimed from the coordinator, so
// that all slots share it and nobody else has it. A program that runs as another user than we do gets no privileged port
// in this way: only --listen gives it one.
#ifndef CORE_EXEC_SLOT_LISTENERS_H_
#define CORE_EXEC_SLOT_LISTENERS_H_

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/base/fd.h"
#include "core/exec/listen_door.h"
#include "core/link/message.h"
#include "core/net/address.h"
#include "core/net/listener.h"

namespace uc::exec {

class SlotListeners {
 public:
  struct Outward {
    // Claimed() follows. False: there is no coordinator now.
    std::function<bool(const link::Claim&)> claim;
    // For the slot to keep.
    std::function<void(int listener)> bound;
  };
  // `cluster`: the addresses of --listen, resolved. `own`: their listeners in that order, then those of addresses that
  // the program had claimed.
  // `port_least`: no port below it is claimed; 0: all may be.
  SlotListeners(std::vector<net::Address> cluster, std::vector<Fd> own, Outward outward,
                uint16_t port_least = 0);

  // The program's wishes (ListenDoor::Events); answered through `door`, at once or when Claimed() has come.
  void MayBind(ListenDoor& door, AskerId asker, const Wish& wish);
  void MayListen(ListenDoor& door, AskerId asker, const Wish& wish, Fd own);
  void Claimed(ListenDoor& door, const link::Claimed& claimed);

  // Borrowed; the cluster's first.
  std::vector<int> descriptors() const;
  size_t cluster_size() const { return cluster_.size(); }
  // Connections that are complete and wait for accept.
  uint32_t Waiting() const;
  // Why the program could not have an address; empty: it could.
  const std::string& refusal() const { return refusal_; }

 private:
  struct Own {
    net::Address address;
    Fd fd;
  };
  struct Pending {
    AskerId asker = 0;
    Wish wish;
    bool listen = false;
  };
  // Which address of --listen a wish is for.
  std::optional<size_t> InCluster(const net::Address& wished);
  const Own* Find(const net::Address& address) const;
  void Ask(ListenDoor& door, Pending pending);
  bool IsPrivileged(uint16_t port) const;
  void Give(ListenDoor& door, const Pending& pending, const net::Address& address);
  void Refuse(ListenDoor& door, AskerId asker, int error, const std::string& why);

  const std::vector<net::Address> cluster_;
  const uint16_t port_least_;
  std::vector<std::optional<net::Address>> taken_;  // of the cluster's: by which wish
  std::vector<Own> own_;
  Outward outward_;
  std::map<uint32_t, Pending> pending_;
  std::map<std::string, uint32_t> ordinals_;  // of the wishes for any port
  std::vector<net::Address> given_;           // at bind, and not listened on yet
  uint32_t last_claim_ = 0;
  std::string refusal_;
};

}  // namespace uc::exec

#endif  // CORE_EXEC_SLOT_LISTENERS_H_
