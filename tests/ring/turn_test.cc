// Turns: bursts, overflow, order, signals.
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/time.h>
#include <unistd.h>

#include <string>
#include <thread>
#include <vector>

#include "core/base/clock.h"
#include "gmock/gmock.h"
#include "tests/ring/ring_fixture.h"

namespace uc::ring {
namespace {

Tag Numbered(uint32_t number) { return {Op::kWritable, 1, number}; }

class TurnTest : public RingTest {
 protected:
  TurnTest() : ready_(eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK)) {}
  // Submissions that complete at once.
  void Burst(uint32_t count) {
    for (uint32_t i = 0; i < count; ++i) ring().PollOnce(ready_.get(), POLLIN, Numbered(i));
  }
  // The numbers that one turn brings.
  std::vector<uint32_t> Turn() {
    std::vector<uint32_t> numbers;
    ring().Turn();
    for (Completion completion; ring().Next(&completion);) {
      EXPECT_EQ(completion.result, POLLIN);
      numbers.push_back(completion.tag.index);
      ring().Consumed(completion);
    }
    return numbers;
  }
  void ExpectInOrder(uint32_t count) {
    uint32_t next = 0;
    while (next < count) {
      for (const uint32_t number : Turn()) ASSERT_EQ(number, next++);
    }
    EXPECT_EQ(next, count);
  }

  Fd ready_;
};
INSTANTIATE_TEST_SUITE_P(At, TurnTest, testing::ValuesIn(kLevels), NameOfLevel);

TEST_P(TurnTest, BurstPastTheSubmissionQueueIsTakenWholeAndInOrder) {
  Burst(3000);
  ExpectInOrder(3000);
}

TEST_P(TurnTest, WaitThatIsOverReturnsWithNothing) {
  const int64_t began = MonotonicNanos();
  ring().TurnFor(absl::Milliseconds(2));
  Completion completion;
  EXPECT_FALSE(ring().Next(&completion));
  EXPECT_GE(MonotonicNanos() - began, 2'000'000);
}

TEST_P(TurnTest, BoundedWaitBringsWhatCompletes) {
  Burst(3);
  ring().TurnFor(absl::Minutes(10));
  Completion completion;
  for (uint32_t number = 0; number < 3; ++number) {
    ASSERT_TRUE(ring().Next(&completion));
    EXPECT_EQ(completion.tag, Numbered(number));
    ring().Consumed(completion);
  }
}

TEST_P(TurnTest, NoWaitHandsOverWhatIsQueued) {
  Burst(1);
  ring().TurnFor(absl::ZeroDuration());
  Completion completion;
  EXPECT_TRUE(ring().Next(&completion));
}

TEST_P(TurnTest, BurstPastTheCompletionQueueLosesNothing) {
  Burst(5000);
  ExpectInOrder(5000);
}

TEST_P(TurnTest, TinyQueuesLoseNothing) {
  RingOptions options;
  options.submissions = 4;
  options.completions = 8;
  Restart(options);
  Burst(1000);
  ExpectInOrder(1000);
}

TEST_P(TurnTest, NextBringsNothingBeforeATurn) {
  Burst(1);
  Completion completion;
  EXPECT_FALSE(ring().Next(&completion));
  EXPECT_EQ(Turn(), std::vector<uint32_t>({0}));
}

TEST_P(TurnTest, CompletionsThatAreThereAreNotWaitedFor) {
  Burst(2);
  ring().Turn();
  Completion completion;
  ASSERT_TRUE(ring().Next(&completion));
  EXPECT_EQ(Turn(), std::vector<uint32_t>({1}));  // would not come back if it waited for a third
}

TEST_P(TurnTest, TurnBringsOnlyWhatWasThereAtItsEnd) {
  Burst(1);
  ring().Turn();
  Completion completion;
  ASSERT_TRUE(ring().Next(&completion));
  Burst(2000);  // more than the queue has room for: the kernel has taken some already
  EXPECT_FALSE(ring().Next(&completion));
  ExpectInOrder(2000);
}

TEST_P(TurnTest, SubmissionsMadeBetweenCompletionsAreTakenByTheNextTurn) {
  Burst(1);
  for (uint32_t i = 1; i < 100; ++i) {
    EXPECT_EQ(Turn(), std::vector<uint32_t>({i - 1}));
    ring().PollOnce(ready_.get(), POLLIN, Numbered(i));
  }
}

TEST_P(TurnTest, SignalEndsTheWait) {
  struct sigaction heed = {}, before;
  heed.sa_handler = [](int) {};
  sigaction(SIGVTALRM, &heed, &before);
  const pthread_t self = pthread_self();
  const Fd armed(eventfd(0, EFD_CLOEXEC));
  // Again and again: the first may come before the wait has begun.
  std::thread other([&] {
    pollfd watch = {armed.get(), POLLIN, 0};
    while (poll(&watch, 1, 1) == 0) pthread_kill(self, SIGVTALRM);
  });
  EXPECT_EQ(Turn(), std::vector<uint32_t>());
  eventfd_write(armed.get(), 1);
  other.join();
  sigaction(SIGVTALRM, &before, nullptr);
  Burst(1);
  EXPECT_EQ(Turn(), std::vector<uint32_t>({0}));
}

TEST_P(TurnTest, SubmissionsOfATurnThatASignalEndsAreNotLost) {
  struct sigaction heed = {}, before;
  heed.sa_handler = [](int) {};
  sigaction(SIGVTALRM, &heed, &before);
  const Fd late(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  ring().PollOnce(late.get(), POLLIN, Numbered(7));
  const pthread_t self = pthread_self();
  std::thread other([&] {
    pollfd never = {-1, 0, 0};
    for (int time = 0; time < 5; ++time) {
      poll(&never, 1, 1);
      pthread_kill(self, SIGVTALRM);
    }
    eventfd_write(late.get(), 1);
  });
  EXPECT_EQ(Await(Numbered(7)).result, POLLIN);
  other.join();
  sigaction(SIGVTALRM, &before, nullptr);
}

// The registered descriptor and SINGLE_ISSUER belong to the thread that created the ring.
TEST(TurnDeathTest, TurnOnAnotherThreadDies) {
  testing::GTEST_FLAG(death_test_style) = "threadsafe";
  EXPECT_EXIT(
      {
        const auto ring = Ring::Create(RingOptions{}).value();
        ring->Timer(absl::Milliseconds(1), Tag{Op::kTick, 1, 0});
        std::thread([&ring] { ring->Turn(); }).join();
      },
      testing::KilledBySignal(SIGABRT), "io_uring_enter: .*the ring is broken");
}

}  // namespace
}  // namespace uc::ring
