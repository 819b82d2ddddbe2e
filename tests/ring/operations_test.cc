// Each operation on real sockets, at each level of kernel that Create() falls back to.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <utility>

#include "core/base/clock.h"
#include "gmock/gmock.h"
#include "tests/ring/ring_fixture.h"

namespace uc::ring {
namespace {

using testing::AnyOf;

constexpr Tag kReceive{Op::kReceive, 7, 3};
constexpr Tag kWritable{Op::kWritable, 7, 3};
constexpr Tag kTick{Op::kTick, 1, 0};
constexpr Tag kOtherTick{Op::kTick, 2, 0};
constexpr Tag kWake{Op::kWake, 0, 0};
constexpr Tag kCancelled{};  // what Cancel() itself completes with: how many it has found

std::string ReadAll(const Fd& fd, size_t size) {
  std::string text(size, '\0');
  size_t got = 0;
  for (ssize_t more; got < size && (more = read(fd.get(), &text[got], size - got)) > 0;)
    got += more;
  text.resize(got);
  return text;
}

class OperationsTest : public RingTest {};
INSTANTIATE_TEST_SUITE_P(At, OperationsTest, testing::ValuesIn(kLevels), NameOfLevel);

TEST_P(OperationsTest, DescriptionSaysWhatWasObtained) {
  static constexpr const char* kWanted[] = {
      "DEFER_TASKRUN, 1024 entries, incremental receive buffers 8 x 64 KiB",
      "COOP_TASKRUN, SINGLE_ISSUER, 1024 entries, incremental receive buffers 8 x 64 KiB",
      "COOP_TASKRUN, SINGLE_ISSUER, 1024 entries, receive buffers 128 x 2 KiB",
      "COOP_TASKRUN, 1024 entries, receive buffers 128 x 2 KiB"};
  EXPECT_EQ(ring().description(), kWanted[static_cast<int>(GetParam())]);
}

TEST_P(OperationsTest, MultishotReceiveBringsEveryPieceAndThenTheEnd) {
  Pair pair = Connect();
  ring().ReceiveMultishot(pair.near.get(), kReceive);
  for (const char* text : {"one", "two", "three"}) {
    Say(pair.far, text);
    const Seen seen = Await(kReceive);
    EXPECT_EQ(seen.data, text);
    EXPECT_TRUE(seen.more);
  }
  pair.far.Reset();
  const Seen end = Await(kReceive);
  EXPECT_EQ(end.result, 0);
  EXPECT_FALSE(end.more);
  EXPECT_EQ(end.data, "");
}

TEST_P(OperationsTest, CancelledMultishotReceiveEndsWithECanceled) {
  const Pair pair = Connect();
  ring().ReceiveMultishot(pair.near.get(), kReceive);
  Say(pair.far, "before");
  EXPECT_EQ(Await(kReceive).data, "before");
  ring().Cancel(kReceive);
  const Seen end = AwaitLast(kReceive);
  EXPECT_EQ(end.result, -ECANCELED);
  EXPECT_EQ(end.data, "");
  Say(pair.far, "after");
  EXPECT_EQ(ReadAll(pair.near, 5), "after");
}

TEST_P(OperationsTest, ResetPeerIsAnErrorOfTheReceive) {
  Pair pair = Connect();
  ring().ReceiveMultishot(pair.near.get(), kReceive);
  const linger hard = {1, 0};
  setsockopt(pair.far.get(), SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
  pair.far.Reset();
  const Seen seen = Await(kReceive);
  EXPECT_EQ(seen.result, -ECONNRESET);
  EXPECT_FALSE(seen.more);
}

TEST_P(OperationsTest, ShutdownOfOurOwnEndsAnArmedReceive) {
  const Pair pair = Connect();
  ring().ReceiveMultishot(pair.near.get(), kReceive);
  ring().PollOnce(pair.near.get(), POLLOUT, kWritable);
  Await(kWritable);
  shutdown(pair.near.get(), SHUT_RDWR);
  EXPECT_EQ(AwaitLast(kReceive).result, 0);
}

TEST_P(OperationsTest, CancelByDescriptorEndsAllThatIsArmedOnIt) {
  const Pair pair = Connect(), other = Connect();
  ring().ReceiveMultishot(pair.near.get(), kReceive);
  ring().PollOnce(pair.near.get(), POLLPRI, kWritable);
  ring().ReceiveMultishot(other.near.get(), Tag{Op::kReceive, 7, 4});
  ring().CancelFd(pair.near.get());
  EXPECT_EQ(Await(kReceive).result, -ECANCELED);
  EXPECT_EQ(Await(kWritable).result, -ECANCELED);
  Say(other.far, "still here");
  EXPECT_EQ(Await(Tag{Op::kReceive, 7, 4}).data, "still here");
}

TEST_P(OperationsTest, CancelHitsItsGenerationOnly) {
  const Pair old = Connect(), young = Connect();
  ring().ReceiveMultishot(old.near.get(), Tag{Op::kReceive, 1, 3});
  ring().ReceiveMultishot(young.near.get(), Tag{Op::kReceive, 2, 3});
  ring().Cancel(Tag{Op::kReceive, 1, 3});
  EXPECT_EQ(Await(Tag{Op::kReceive, 1, 3}).result, -ECANCELED);
  Say(young.far, "mine");
  EXPECT_EQ(Await(Tag{Op::kReceive, 2, 3}).data, "mine");
}

TEST_P(OperationsTest, LateCompletionCarriesTheOldGeneration) {
  const Pair pair = Connect();
  ring().ReceiveMultishot(pair.near.get(), Tag{Op::kReceive, 0xffffff, 3});
  ring().Cancel(Tag{Op::kReceive, 0xffffff, 3});
  ring().PollOnce(pair.near.get(), POLLOUT, Tag{Op::kWritable, 0, 3});
  EXPECT_EQ(Await(Tag{Op::kWritable, 0, 3}).result, POLLOUT);
  EXPECT_EQ(Await(Tag{Op::kReceive, 0xffffff, 3}).result, -ECANCELED);
}

TEST_P(OperationsTest, CancelOfNothingIsHarmless) {
  ring().Cancel(kReceive);
  EXPECT_EQ(Await(kCancelled).result, 0);
}

TEST_P(OperationsTest, TimerTicksUntilItIsCancelled) {
  ring().Timer(absl::Milliseconds(2), kTick);
  for (int tick = 0; tick < 3; ++tick) {
    const Seen seen = Await(kTick);
    EXPECT_EQ(seen.result, -ETIME);
    EXPECT_EQ(seen.more, GetParam() != RingOptions::Level::kOldest);
    if (!seen.more) ring().Timer(absl::Milliseconds(2), kTick);
  }
  ring().Cancel(kTick);
  const Seen end = AwaitLast(kTick);
  EXPECT_THAT(end.result, AnyOf(-ECANCELED, -ETIME));
}

TEST_P(OperationsTest, TimerDoesNotTickBeforeItsPeriod) {
  const int64_t before = MonotonicNanos();
  ring().Timer(absl::Milliseconds(30), kTick);
  Await(kTick);
  EXPECT_GE(MonotonicNanos() - before, 30'000'000);
}

TEST_P(OperationsTest, TimersOfOneTurnKeepTheirOwnPeriods) {
  ring().Timer(absl::Milliseconds(1), kTick);
  ring().Timer(absl::Hours(1), kOtherTick);
  EXPECT_EQ(Await(kTick).result, -ETIME);
  ring().Cancel(kOtherTick);
  EXPECT_EQ(AwaitLast(kOtherTick).result, -ECANCELED);
}

TEST_P(OperationsTest, PollOnceFiresOnce) {
  const Pair pair = Connect();
  ring().PollOnce(pair.near.get(), POLLOUT, kWritable);
  const Seen seen = Await(kWritable);
  EXPECT_EQ(seen.result, POLLOUT);
  EXPECT_FALSE(seen.more);
}

TEST_P(OperationsTest, PollMultishotFiresForEachWake) {
  const Fd wake(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  ring().PollMultishot(wake.get(), POLLIN, kWake);
  for (int time = 0; time < 3; ++time) {
    eventfd_write(wake.get(), 1);
    const Seen seen = Await(kWake);
    EXPECT_EQ(seen.result, POLLIN);
    EXPECT_TRUE(seen.more);
    eventfd_t value;
    eventfd_read(wake.get(), &value);
  }
  ring().Cancel(kWake);
  EXPECT_EQ(AwaitLast(kWake).result, -ECANCELED);
}

TEST_P(OperationsTest, BadDescriptorCostsItsOwnSubmissionOnly) {
  const Pair pair = Connect();
  ring().ReceiveMultishot(-1, Tag{Op::kReceive, 1, 1});
  ring().PollOnce(pair.near.get(), POLLOUT, kWritable);
  EXPECT_EQ(Await(Tag{Op::kReceive, 1, 1}).result, -EBADF);
  EXPECT_EQ(Await(kWritable).result, POLLOUT);
}

}  // namespace
}  // namespace uc::ring
