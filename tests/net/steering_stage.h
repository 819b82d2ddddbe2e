// A stage for steering: slots with real listeners, clients that connect, workers that accept when they are told to.
#ifndef TESTS_NET_STEERING_STAGE_H_
#define TESTS_NET_STEERING_STAGE_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/fd.h"
#include "core/net/address.h"
#include "core/net/listener.h"
#include "core/net/slot_load.h"
#include "core/net/steering.h"
#include "gtest/gtest.h"

namespace uc::net {

class SteeringStage : public testing::Test {
 protected:
  void SetUp() override;

  // Steering of this kind, and so many live slots.
  void Begin(Balance balance, uint32_t slots,
             const std::vector<std::string>& hosts = {"127.0.0.1"});
  // A slot with listeners, not put yet.
  void Bind(uint32_t slot);
  void Put(uint32_t slot);
  void GoLive(uint32_t slot);

  // Established, from the client's view. `from`: its own port, 0 = any.
  Fd Client(size_t address = 0, int from = 0);
  void Connect(int count, size_t address = 0);  // kept in clients_
  // Takes `count` connections, from whichever listeners they are in, and counts them as the slots' workers would.
  void Accept(size_t count);
  // Takes connections until `count` have come or the slot stays without one; says how many.
  size_t AcceptFrom(uint32_t slot, size_t count);
  // The worker of the slot loses that many.
  void Close(uint32_t slot, size_t count);

  uint32_t load(uint32_t slot) const { return steering_->Read(slot).load; }
  uint32_t pend(uint32_t slot) const { return steering_->Read(slot).pend; }
  // Of all slots that were bound, in order.
  std::vector<uint32_t> loads() const;
  std::vector<uint32_t> pends() const;

  ListenOptions listen_;
  std::optional<Steering> steering_;
  std::vector<Address> addresses_;
  std::map<uint32_t, std::vector<Fd>> listeners_;
  std::map<uint32_t, std::unique_ptr<SlotLoad>> workers_;
  std::map<uint32_t, std::vector<Fd>> accepted_;
  std::vector<Fd> clients_;

 private:
  void Take(uint32_t slot, const Fd& listener, size_t* left);
};

}  // namespace uc::net

#endif  // TESTS_NET_STEERING_STAGE_H_
