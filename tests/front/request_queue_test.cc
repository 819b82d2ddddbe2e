// Who waits for the server, in which order, and for how long.
#include "core/front/request_queue.h"

#include "gtest/gtest.h"

namespace uc::front {
namespace {

constexpr int64_t kPatienceNs = 1000;

TEST(RequestQueueTest, FirstComeFirstServed) {
  RequestQueue queue(3, kPatienceNs);
  for (app::ExchangeId id : {7, 8, 9}) queue.Push(id, 1, 0);
  EXPECT_EQ(queue.first().id, 7u);
  queue.Pop();
  EXPECT_EQ(queue.first().id, 8u);
  EXPECT_EQ(queue.size(), 2u);
}

TEST(RequestQueueTest, WhoFindsItFullIsToldAtOnce) {
  RequestQueue queue(1, kPatienceNs);
  EXPECT_EQ(queue.Push(1, 1, 0), RequestQueue::Pushed::kYes);
  EXPECT_EQ(queue.Push(2, 1, 0), RequestQueue::Pushed::kFull);
  queue.Pop();
  EXPECT_EQ(queue.Push(2, 1, 0), RequestQueue::Pushed::kYes);
}

TEST(RequestQueueTest, TheTimeOfTheFirstEndsFirst) {
  RequestQueue queue(3, kPatienceNs);
  EXPECT_FALSE(queue.FirstExpired(1 << 30));
  queue.Push(1, 1, 0);
  queue.Push(2, 2, 10);
  EXPECT_FALSE(queue.FirstExpired(kPatienceNs - 1));
  EXPECT_TRUE(queue.FirstExpired(kPatienceNs));
  queue.Pop();
  EXPECT_FALSE(queue.FirstExpired(kPatienceNs));
  EXPECT_TRUE(queue.FirstExpired(kPatienceNs + 10));
  EXPECT_EQ(queue.first().tries, 2);
}

TEST(RequestQueueTest, WhoHasLeftKeepsNoPlace) {
  RequestQueue queue(2, kPatienceNs);
  queue.Push(1, 1, 0);
  queue.Push(2, 1, 0);
  queue.DropGone([](app::ExchangeId id) { return id == 1; });
  EXPECT_EQ(queue.size(), 1u);
  EXPECT_EQ(queue.first().id, 2u);
  EXPECT_EQ(queue.Push(3, 1, 0), RequestQueue::Pushed::kYes);
}

}  // namespace
}  // namespace uc::front
