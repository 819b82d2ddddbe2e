// Each operation on real sockets, at each level of kernel that Create() falls back to.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <thread>
#include <utility>

#include "core/base/clock.h"
#include "gmock/gmock.h"
#include "tests/ring/ring_fixture.h"

namespace uc::ring {
namespace {

using testing::AnyOf;

constexpr Tag kAccept{Op::kAccept, 1, 0};
constexpr Tag kReceive{Op::kReceive, 7, 3};
constexpr Tag kReceiveInto{Op::kReceiveInto, 7, 3};
constexpr Tag kSend{Op::kSend, 7, 3};
constexpr Tag kWritable{Op::kWritable, 7, 3};
constexpr Tag kTick{Op::kTick, 1, 0};
constexpr Tag kOtherTick{Op::kTick, 2, 0};
constexpr Tag kWake{Op::kWake, 0, 0};
constexpr Tag kCancelled{};  // what Cancel() itself completes with: how many it has found

// Without end-of-file, a stream of this many bytes.
std::string Pattern(size_t size) {
  std::string text(size, '\0');
  for (size_t i = 0; i < size; ++i) text[i] = static_cast<char>(i * 2654435761u >> 13);
  return text;
}

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
      "DEFER_TASKRUN, incremental receive buffers 8 x 64 KiB",
      "COOP_TASKRUN, SINGLE_ISSUER, incremental receive buffers 8 x 64 KiB",
      "COOP_TASKRUN, SINGLE_ISSUER, receive buffers 128 x 2 KiB",
      "COOP_TASKRUN, receive buffers 128 x 2 KiB"};
  EXPECT_EQ(ring().description(), kWanted[static_cast<int>(GetParam())]);
}

TEST_P(OperationsTest, AcceptGivesANonBlockingConnectionThatClosesOnExec) {
  const Fd listener = Listen();
  ring().AcceptOnce(listener.get(), kAccept);
  const Fd client = ConnectTo(listener);
  const Seen seen = Await(kAccept);
  ASSERT_GE(seen.result, 0);
  const Fd accepted(seen.result);
  EXPECT_FALSE(seen.more);
  EXPECT_TRUE(fcntl(accepted.get(), F_GETFL) & O_NONBLOCK);
  EXPECT_TRUE(fcntl(accepted.get(), F_GETFD) & FD_CLOEXEC);
}

TEST_P(OperationsTest, AcceptTakesOneConnectionOnly) {
  const Fd listener = Listen();
  const Fd first = ConnectTo(listener), second = ConnectTo(listener);
  ring().AcceptOnce(listener.get(), kAccept);
  const Fd accepted(Await(kAccept).result);
  EXPECT_TRUE(Fd(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC)).valid());
}

TEST_P(OperationsTest, CancelledAcceptTakesNoConnection) {
  const Fd listener = Listen();
  ring().AcceptOnce(listener.get(), kAccept);
  ring().Cancel(kAccept);
  EXPECT_EQ(Await(kAccept).result, -ECANCELED);
  const Fd client = ConnectTo(listener);
  EXPECT_TRUE(Fd(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC)).valid());
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

TEST_P(OperationsTest, AcceptedNonBlockingConnectionIsReceivedFrom) {
  const Fd listener = Listen();
  ring().AcceptOnce(listener.get(), kAccept);
  const Fd client = ConnectTo(listener);
  const Fd accepted(Await(kAccept).result);
  ring().ReceiveMultishot(accepted.get(), kReceive);
  ring().Cancel(Tag{Op::kReceive, 0, 999});  // its completion shows that the receive waits
  EXPECT_EQ(Await(kCancelled).result, 0);
  Say(client, "late");
  EXPECT_EQ(Await(kReceive).data, "late");
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

TEST_P(OperationsTest, ReceiveIntoFillsTheOwnersMemory) {
  const Pair pair = Connect();
  std::string body(100, '?');
  ring().ReceiveInto(pair.near.get(), body.data(), body.size(), kReceiveInto);
  Say(pair.far, "hello");
  const Seen seen = Await(kReceiveInto);
  EXPECT_EQ(seen.result, 5);
  EXPECT_FALSE(seen.more);
  EXPECT_EQ(body.substr(0, 6), "hello?");
}

TEST_P(OperationsTest, SendIsWholeHoweverSlowThePeer) {
  const Pair pair = Connect();
  const std::string bytes = Pattern(8 << 20);
  std::string read;
  ring().Send(pair.near.get(), bytes, kSend);
  std::thread peer([&] { read = ReadAll(pair.far, bytes.size()); });
  const Seen seen = Await(kSend);
  peer.join();
  EXPECT_EQ(seen.result, static_cast<int32_t>(bytes.size()));
  EXPECT_TRUE(read == bytes);
}

TEST_P(OperationsTest, SendOnAcceptedNonBlockingConnectionIsWholeToo) {
  const Fd listener = Listen();
  ring().AcceptOnce(listener.get(), kAccept);
  const Fd client = ConnectTo(listener);
  const Fd accepted(Await(kAccept).result);
  const std::string bytes = Pattern(8 << 20);
  ring().Send(accepted.get(), bytes, kSend);
  std::thread peer([&] { EXPECT_TRUE(ReadAll(client, bytes.size()) == bytes); });
  EXPECT_EQ(Await(kSend).result, static_cast<int32_t>(bytes.size()));
  peer.join();
}

TEST_P(OperationsTest, SendToAPeerThatIsGoneIsAnErrorAndNoSignal) {
  Pair pair = Connect();
  shutdown(pair.near.get(), SHUT_WR);
  ring().Send(pair.near.get(), "x", kSend);
  EXPECT_EQ(Await(kSend).result, -EPIPE);
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
