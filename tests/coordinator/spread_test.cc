// Spread: what it does to the sockets of the slots, without any privilege.
#include "core/coordinator/spread.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <utility>
#include <vector>

#include "core/base/core_pin.h"
#include "core/net/listener.h"

namespace uc::coordinator {
namespace {

int PreferredCore(const ListenerKeep& keep, policy::SlotIndex slot) {
  int core = -2;
  socklen_t size = sizeof(core);
  getsockopt(keep.DescriptorsOf(slot)[0], SOL_SOCKET, SO_INCOMING_CPU, &core, &size);
  return core;
}

class SpreadTest : public testing::Test {
 protected:
  SpreadTest() {
    const net::Address address = *net::Address::Parse("127.0.0.1:0");
    Fd socket = *net::Bind(address, {});
    EXPECT_TRUE(net::StartListening(socket, address, {}).ok());
    std::vector<Fd> listeners;
    listeners.push_back(std::move(socket));
    EXPECT_TRUE(keep_.Keep(0, std::move(listeners)));
  }
  int CoreThatIsPreferred(net::Balance balance, Spread::Cores cores) {
    Mode mode;
    mode.balance = balance;
    Spread(std::move(mode), cores, keep_).Begin(0);
    return PreferredCore(keep_, 0);
  }
  ListenerKeep keep_{1, ListenerKeep::Kind::kFixed};
};

TEST_F(SpreadTest, PinnedSlotsAreWhatTheHashPrefers) {
  EXPECT_EQ(CoreThatIsPreferred(net::Balance::kHash, Spread::Cores::kPinned),
            CoreOfSlot(AllowedCores(), 0));
}

TEST_F(SpreadTest, ChancePrefersNobody) {
  EXPECT_EQ(CoreThatIsPreferred(net::Balance::kRandom, Spread::Cores::kPinned), -1);
}

TEST_F(SpreadTest, NeitherDoesAHashOverWorkersThatRunAnywhere) {
  EXPECT_EQ(CoreThatIsPreferred(net::Balance::kHash, Spread::Cores::kAny), -1);
}

TEST_F(SpreadTest, WithoutSteeringNothingIsPassedOnOrCounted) {
  const Spread spread(Mode{}, Spread::Cores::kAny, keep_);
  EXPECT_TRUE(spread.descriptors().empty());
  EXPECT_EQ(spread.counting(), nullptr);
}

}  // namespace
}  // namespace uc::coordinator
