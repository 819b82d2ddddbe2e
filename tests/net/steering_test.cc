// Which slot gets a connection: the real program in the real kernel, with real sockets.
#include "core/net/steering.h"

#include <sys/socket.h>

#include <map>
#include <set>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/net/steering_stage.h"

namespace uc::net {
namespace {

using testing::Each;
using testing::ElementsAre;

using LeastConnections = SteeringStage;
using RoundRobin = SteeringStage;
using RandomBalance = SteeringStage;

// --- Least connections ---

TEST_F(LeastConnections, BurstSpreadsBeforeAnyWorkerHasRun) {
  Begin(Balance::kLeastConnections, 4);
  Connect(64);
  EXPECT_THAT(pends(), Each(16u));
  EXPECT_THAT(loads(), Each(0u));
  Accept(64);
  EXPECT_THAT(pends(), Each(0u));
  EXPECT_THAT(loads(), Each(16u));
  for (uint32_t slot = 0; slot < 4; ++slot) EXPECT_EQ(accepted_[slot].size(), 16u);
}

TEST_F(LeastConnections, LongLivedConnectionsAreEvenAsTheyCome) {
  Begin(Balance::kLeastConnections, 4);
  for (int i = 0; i < 40; ++i) {
    Connect(1);
    Accept(1);
  }
  EXPECT_THAT(loads(), Each(10u));
}

TEST_F(LeastConnections, NewSlotGetsAllUntilItHasAsManyAsTheOthers) {
  Begin(Balance::kLeastConnections, 3);
  Connect(30);
  Accept(30);
  Bind(3);
  GoLive(3);
  Connect(10);
  EXPECT_THAT(pends(), ElementsAre(0, 0, 0, 10));
  Accept(10);
  Connect(4);
  Accept(4);
  EXPECT_THAT(loads(), Each(11u));
}

TEST_F(LeastConnections, ClosedConnectionsMakeRoom) {
  Begin(Balance::kLeastConnections, 4);
  Connect(32);
  Accept(32);
  Close(2, 5);
  Connect(5);
  EXPECT_THAT(pends(), ElementsAre(0, 0, 5, 0));
}

TEST_F(LeastConnections, WorkerThatDoesNotAcceptIsPassedOver) {
  Begin(Balance::kLeastConnections, 2);
  Connect(2);  // one each; slot 0 never takes its own
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(AcceptFrom(1, 1), 1u);
    Close(1, 1);
    Connect(1);
  }
  EXPECT_LE(pend(0), 2u);
}

TEST_F(LeastConnections, TwoProcessorsThatChooseAtOneTimeStaySpreadExactly) {
  Begin(Balance::kLeastConnections, 4);
  std::vector<std::thread> crowd;
  std::vector<std::vector<Fd>> clients(4);
  for (std::vector<Fd>& mine : clients) {
    crowd.emplace_back([this, &mine] {
      for (int i = 0; i < 100; ++i) mine.push_back(Client());
    });
  }
  for (std::thread& one : crowd) one.join();
  EXPECT_THAT(pends(), Each(100u));
  Accept(400);
  EXPECT_THAT(loads(), Each(100u));
}

TEST_F(LeastConnections, SixtyFourSlots) {
  Begin(Balance::kLeastConnections, 64);
  Connect(128);
  EXPECT_THAT(pends(), Each(2u));
}

TEST_F(LeastConnections, AllSlotsThereCanBe) {
  Begin(Balance::kLeastConnections, kSteeredSlotsMax);
  Connect(kSteeredSlotsMax);
  EXPECT_THAT(pends(), Each(1u));
  Accept(kSteeredSlotsMax);
  EXPECT_THAT(loads(), Each(1u));
}

TEST_F(LeastConnections, AddressesShareTheCount) {
  Begin(Balance::kLeastConnections, 4, {"127.0.0.1", "127.0.0.2", "[::1]"});
  Connect(2, 0);
  Connect(1, 1);
  Connect(1, 2);
  EXPECT_THAT(pends(), Each(1u));
  Connect(8, 2);
  Accept(12);
  EXPECT_THAT(loads(), Each(3u));
}

// --- The others ---

TEST_F(RoundRobin, TakesTurns) {
  Begin(Balance::kRoundRobin, 4);
  for (int i = 0; i < 8; ++i) {
    Connect(1);
    EXPECT_EQ(AcceptFrom(i % 4, 1), 1u) << i;
  }
}

TEST_F(RoundRobin, GapDoublesNobodysShare) {
  Begin(Balance::kRoundRobin, 5);
  steering_->SetLive(1, false);
  steering_->SetLive(2, false);
  Connect(30);
  Accept(30);
  EXPECT_THAT(loads(), ElementsAre(10, 0, 0, 10, 10));
}

TEST_F(RoundRobin, TurnsGoOnAfterThereWereMoreSlots) {
  Begin(Balance::kRoundRobin, 6);
  Connect(5);  // the last was slot 4
  Accept(5);
  for (uint32_t slot = 2; slot < 6; ++slot) {
    steering_->Remove(slot);
    listeners_.erase(slot);
  }
  Connect(4);
  Accept(4);
  EXPECT_THAT(loads(), ElementsAre(3, 3));
}

TEST_F(RoundRobin, ManySlotsAtOnceFromManyProcessors) {
  Begin(Balance::kRoundRobin, 8);
  std::vector<std::thread> crowd;
  std::vector<std::vector<Fd>> clients(4);
  for (std::vector<Fd>& mine : clients) {
    crowd.emplace_back([this, &mine] {
      for (int i = 0; i < 40; ++i) mine.push_back(Client());
    });
  }
  for (std::thread& one : crowd) one.join();
  Accept(160);
  EXPECT_THAT(loads(), Each(20u));
}

TEST_F(RandomBalance, EachLiveSlotIsEquallyLikelyWhicheverAreMissing) {
  Begin(Balance::kRandom, 5);
  steering_->SetLive(2, false);
  Connect(1000);
  Accept(1000);
  // Six standard deviations of a binomial with 1000 tries and 1/4: 82.
  for (const uint32_t slot : {0, 1, 3, 4}) EXPECT_NEAR(load(slot), 250, 83) << slot;
  EXPECT_EQ(load(2), 0u);
}

class HashBalance : public SteeringStage {
 protected:
  // A client's port that nobody has, not even in TIME_WAIT.
  int Port() {
    return LocalAddress(net::Bind(Address::Parse("127.0.0.1:0").value(), listen_).value())->port();
  }
  // Where a client with this port goes. It leaves by a reset, so that the port can be used again at once.
  uint32_t SlotOf(int port) {
    Fd client = Client(0, port);
    const linger reset = {1, 0};
    setsockopt(client.get(), SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    Accept(1);
    uint32_t met = UINT32_MAX;
    for (auto& [slot, connections] : accepted_) {
      if (!connections.empty()) met = slot;
    }
    client.Reset();
    accepted_.clear();
    return met;
  }
};

TEST_F(HashBalance, SameClientMeetsTheSameSlotAndClientsSpread) {
  Begin(Balance::kHash, 4);
  std::set<uint32_t> met;
  for (int i = 0; i < 40; ++i) {
    const int port = Port();
    const uint32_t first = SlotOf(port);
    EXPECT_EQ(SlotOf(port), first);
    met.insert(first);
  }
  EXPECT_EQ(met.size(), 4u);  // 1 in 25,000 that forty clients leave one of four out
}

TEST_F(HashBalance, SlotThatGoesTakesOnlyItsOwnClientsAlong) {
  Begin(Balance::kHash, 4);
  std::map<int, uint32_t> before;
  for (int i = 0; i < 40; ++i) {
    const int port = Port();
    before[port] = SlotOf(port);
  }
  steering_->SetLive(3, false);
  for (const auto& [port, slot] : before) {
    const uint32_t now = SlotOf(port);
    EXPECT_NE(now, 3u);
    if (slot != 3) {
      EXPECT_EQ(now, slot);
    }
  }
}

}  // namespace
}  // namespace uc::net
