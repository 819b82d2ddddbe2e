// Which slots may get a connection, what moves when one goes, and what is counted: the real program in the real kernel.
#include <sys/socket.h>

#include <optional>
#include <utility>
#include <vector>

#include "core/net/steering.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/net/steering_stage.h"

namespace uc::net {
namespace {

using testing::Each;
using testing::ElementsAre;

using LiveSlots = SteeringStage;
using Migration = SteeringStage;
using Pending = SteeringStage;

// --- Addresses that become known one by one ---

TEST_F(LiveSlots, MayListenOnSomeOfTheAddresses) {
  Begin(Balance::kLeastConnections, 2, {"127.0.0.1", "127.0.0.2"});
  Bind(2);
  const Steering::Placed second = {1, listeners_[2][1].get()};
  listeners_[2][0].Reset();
  ASSERT_TRUE(steering_->Put(2, std::vector<Steering::Placed>{second}).ok());
  steering_->SetLive(2, true);
  Connect(30, 1);
  Accept(30);
  EXPECT_THAT(loads(), ElementsAre(10, 10, 10));
  // Nobody is turned away where the slot that is chosen does not listen.
  Connect(30, 0);
  Accept(30);
  EXPECT_EQ(load(0) + load(1) + load(2), 60u);
}

TEST_F(LiveSlots, GetOneMoreAddressAndStayLive) {
  Begin(Balance::kLeastConnections, 0, {"127.0.0.1", "127.0.0.2"});
  Bind(0);
  ASSERT_TRUE(steering_->Put(0, std::vector<Steering::Placed>{{0, listeners_[0][0].get()}}).ok());
  steering_->SetLive(0, true);
  EXPECT_EQ(steering_->PlaceOf(0, listeners_[0][0].get()), 0u);
  EXPECT_EQ(steering_->PlaceOf(0, listeners_[0][1].get()), std::nullopt);
  ASSERT_TRUE(steering_->Add(0, {1, listeners_[0][1].get()}).ok());
  EXPECT_TRUE(steering_->Read(0).live);
  EXPECT_EQ(steering_->PlaceOf(0, listeners_[0][1].get()), 1u);
  Connect(3, 1);
  EXPECT_EQ(AcceptFrom(0, 3), 3u);
  EXPECT_EQ(steering_->failed_selects(), 0u);
}

// --- Who may be chosen ---

class EveryBalance : public SteeringStage, public testing::WithParamInterface<Balance> {};

TEST_P(EveryBalance, OnlyLiveSlotsGetConnections) {
  Begin(GetParam(), 8);
  for (const uint32_t slot : {0, 2, 5, 6}) steering_->SetLive(slot, false);
  Connect(100);
  Accept(100);
  for (const uint32_t slot : {0, 2, 5, 6}) EXPECT_EQ(load(slot), 0u) << slot;
  EXPECT_EQ(load(1) + load(3) + load(4) + load(7), 100u);
  steering_->SetLive(1, false);
  steering_->SetLive(3, false);
  steering_->SetLive(7, false);
  Connect(10);
  EXPECT_EQ(AcceptFrom(4, 10), 10u);
}

TEST_P(EveryBalance, HighestSlotIsFoundAlone) {
  Begin(GetParam(), 0);
  for (const uint32_t slot : {7, 255}) {
    Bind(slot);
    GoLive(slot);
  }
  steering_->SetLive(7, false);
  Connect(3);
  EXPECT_EQ(AcceptFrom(255, 3), 3u);
}

TEST_P(EveryBalance, NobodyLiveMeansTheKernelsHashOverAllSockets) {
  Begin(GetParam(), 4);
  for (uint32_t slot = 0; slot < 4; ++slot) steering_->SetLive(slot, false);
  Connect(100);
  EXPECT_THAT(pends(), Each(0u));
  Accept(100);
  for (uint32_t slot = 0; slot < 4; ++slot) EXPECT_GT(load(slot), 0u);
  EXPECT_EQ(steering_->failed_selects(), 0u);
}

TEST_P(EveryBalance, QueueMovesToLiveSlotsWhenItsListenerIsShutDown) {
  Begin(GetParam(), 4);
  for (const uint32_t slot : {0, 1, 2}) steering_->SetLive(slot, false);
  Connect(20);  // all in the queue of slot 3
  steering_->SetLive(1, true);
  steering_->SetLive(2, true);
  steering_->SetLive(3, false);
  ASSERT_EQ(shutdown(listeners_[3][0].get(), SHUT_RD), 0);
  EXPECT_EQ(AcceptFrom(3, 1), 0u);
  EXPECT_EQ(AcceptFrom(0, 1), 0u);
  listeners_.erase(3);
  Accept(20);
  EXPECT_EQ(load(1) + load(2), 20u);
  for (const Fd& client : clients_) EXPECT_EQ(send(client.get(), "x", 1, MSG_NOSIGNAL), 1);
}

INSTANTIATE_TEST_SUITE_P(Steering, EveryBalance,
                         testing::Values(Balance::kLeastConnections, Balance::kRoundRobin,
                                         Balance::kRandom, Balance::kHash));

TEST_F(LiveSlots, SlotThatIsPutIsNotLiveYet) {
  Begin(Balance::kLeastConnections, 1);
  Bind(1);
  Put(1);
  Connect(4);
  EXPECT_EQ(AcceptFrom(0, 4), 4u);
  EXPECT_FALSE(steering_->Read(1).live);
}

TEST_F(LiveSlots, SelectionOfASocketThatIsGoneIsCountedAndTheHashDecides) {
  Begin(Balance::kRoundRobin, 2);
  listeners_.erase(1);  // without a word: it leaves the socket map by itself
  Connect(10);
  EXPECT_EQ(AcceptFrom(0, 10), 10u);
  EXPECT_EQ(steering_->failed_selects(), 5u);
}

TEST_F(LiveSlots, RemovedSlotIsNeitherChosenNorAFailure) {
  Begin(Balance::kLeastConnections, 3);
  steering_->Remove(1);
  Connect(10);
  Accept(10);
  EXPECT_THAT(loads(), ElementsAre(5, 0, 5));
  EXPECT_EQ(steering_->failed_selects(), 0u);
}

TEST_F(LiveSlots, SlotIsUsedAgainWithAnotherSocket) {
  Begin(Balance::kLeastConnections, 2);
  steering_->Remove(1);
  ASSERT_EQ(shutdown(listeners_[1][0].get(), SHUT_RD), 0);
  Bind(1);
  GoLive(1);
  Connect(10);
  Accept(10);
  EXPECT_THAT(loads(), ElementsAre(5, 5));
}

TEST_F(LiveSlots, PutAgainChangesNothingAndAnotherSocketReplaces) {
  Begin(Balance::kLeastConnections, 2);
  GoLive(1);
  Connect(4);
  Accept(4);
  EXPECT_THAT(loads(), ElementsAre(2, 2));
  std::vector<Fd> former = std::move(listeners_[1]);
  Bind(1);
  GoLive(1);  // while the former socket still listens
  Connect(4);
  Accept(4);
  EXPECT_THAT(loads(), ElementsAre(4, 4));
}

// --- Half-open connections ---

TEST_F(Migration, HalfOpenConnectionsMoveToALiveSlot) {
  listen_.defer_accept_seconds = 10;  // half-open until the client has spoken
  Begin(Balance::kLeastConnections, 2);
  steering_->SetLive(0, false);
  Connect(5);
  EXPECT_EQ(pend(1), 5u);
  steering_->SetLive(0, true);
  steering_->SetLive(1, false);
  ASSERT_EQ(shutdown(listeners_[1][0].get(), SHUT_RD), 0);
  for (const Fd& client : clients_) ASSERT_EQ(send(client.get(), "x", 1, MSG_NOSIGNAL), 1);
  listeners_.erase(1);
  Accept(5);
  EXPECT_EQ(load(0), 5u);
  for (const Fd& connection : accepted_[0]) {
    char byte = 0;
    EXPECT_EQ(recv(connection.get(), &byte, 1, 0), 1);
  }
}

TEST_F(Migration, WithNobodyLiveTheQueueStillFindsASocket) {
  Begin(Balance::kLeastConnections, 2);
  steering_->SetLive(0, false);
  Connect(5);
  steering_->SetLive(1, false);
  ASSERT_EQ(shutdown(listeners_[1][0].get(), SHUT_RD), 0);
  listeners_.erase(1);
  Accept(5);
  EXPECT_EQ(load(0), 5u);
}

// --- Counts ---

TEST_F(Pending, NeverFallsBelowZeroAndNeitherDoesLoad) {
  Begin(Balance::kLeastConnections, 2);
  workers_[0]->Accepted(0);
  EXPECT_EQ(pend(0), 0u);
  EXPECT_EQ(load(0), 1u);
  workers_[0]->Lost();
  workers_[0]->Lost();
  EXPECT_EQ(load(0), 0u);
  steering_->ForgetLoad(0, 7);
  EXPECT_EQ(load(0), 0u);
  Connect(2);
  EXPECT_THAT(pends(), Each(1u));
}

TEST_F(Pending, ConnectionThatNeverCameIsForgotten) {
  listen_.defer_accept_seconds = 10;
  Begin(Balance::kLeastConnections, 2);
  {
    const Fd silent = Client();
    const linger reset = {1, 0};
    setsockopt(silent.get(), SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
  }
  ASSERT_EQ(pend(0), 1u);
  workers_[0]->ForgetPending();  // nobody has looked at the queue
  EXPECT_EQ(pend(0), 1u);
  workers_[0]->SeenEmpty();
  workers_[0]->ForgetPending();
  EXPECT_EQ(pend(0), 0u);
}

TEST_F(Pending, BusyWorkerForgetsWhatNeverCameAndKeepsWhatIsUnderWay) {
  Begin(Balance::kLeastConnections, 1);
  Connect(3);
  EXPECT_EQ(AcceptFrom(0, 1), 1u);
  workers_[0]->SeenEmpty();  // pending: 2
  Connect(4);
  workers_[0]->SeenEmpty();  // pending: 6
  workers_[0]->ForgetPending();
  EXPECT_EQ(pend(0), 4u);
  workers_[0]->ForgetPending();  // once is enough
  EXPECT_EQ(pend(0), 4u);
}

TEST_F(Pending, StandInTakesItOffTheSlotWhoseQueueItWas) {
  Begin(Balance::kLeastConnections, 2);
  Connect(2);
  workers_[1]->Accepted(0);
  EXPECT_THAT(pends(), ElementsAre(0, 1));
  EXPECT_THAT(loads(), ElementsAre(0, 1));
}

TEST_F(Pending, SlotThatComesBackHasNoneAndKeepsItsLoad) {
  Begin(Balance::kLeastConnections, 2);
  Connect(8);
  EXPECT_EQ(AcceptFrom(0, 2), 2u);
  GoLive(0);
  EXPECT_EQ(pend(0), 0u);
  EXPECT_EQ(load(0), 2u);
}

TEST_F(Pending, LoadLeavesWithADeadWorker) {
  Begin(Balance::kLeastConnections, 2);
  Connect(8);
  Accept(8);
  workers_[0]->Gained();  // a second worker of this slot, in a roll
  steering_->ForgetLoad(0, 4);
  EXPECT_EQ(load(0), 1u);
  steering_->ForgetAllLoad(1);
  EXPECT_EQ(load(1), 0u);
  Connect(1);
  EXPECT_EQ(pend(1), 1u);
}

}  // namespace
}  // namespace uc::net
