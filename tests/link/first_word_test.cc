#include "core/link/first_word.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "gtest/gtest.h"

namespace uc::link {
namespace {

class FirstWordTest : public testing::Test {
 protected:
  // `descriptors`: how many come along.
  void CoordinatorSays(const Message& message, size_t descriptors) {
    ASSERT_TRUE(coordinator_.Send(message, std::vector<int>(descriptors, null_.get())).ok());
  }
  absl::StatusOr<Received> Heard() { return AwaitAssign(worker_); }

  std::pair<Channel, Channel> pair_ = Channel::Pair().value();
  Channel coordinator_ = std::move(pair_.first);
  Channel worker_ = std::move(pair_.second);
  const Fd null_ = Fd(open("/dev/null", O_RDONLY | O_CLOEXEC));
};

TEST_F(FirstWordTest, AssignComesWithItsDescriptors) {
  Assign assign;
  assign.slot = 3;
  assign.steering = 2;
  CoordinatorSays(assign, kAssignDescriptors + 2 + 1);
  const absl::StatusOr<Received> heard = Heard();
  ASSERT_TRUE(heard.ok()) << heard.status();
  EXPECT_EQ(std::get<Assign>(heard->message).slot, 3u);
  EXPECT_EQ(heard->descriptors.size(), kAssignDescriptors + 3);
}

TEST_F(FirstWordTest, ListenersMayBeMissing) {
  CoordinatorSays(Assign{}, kAssignDescriptors);
  EXPECT_TRUE(Heard().ok());
}

TEST_F(FirstWordTest, SignalToLeaveIsReadAndTheCoordinatorsMeanNothing) {
  sigset_t before;
  sigprocmask(SIG_BLOCK, nullptr, &before);
  const Fd signals = TakeSignals();
  ASSERT_TRUE(signals.valid());
  for (const int number : {SIGHUP, SIGUSR1, SIGUSR2, SIGQUIT, SIGTERM}) raise(number);
  signalfd_siginfo info;
  ASSERT_EQ(read(signals.get(), &info, sizeof(info)), static_cast<ssize_t>(sizeof(info)));
  EXPECT_EQ(info.ssi_signo, static_cast<uint32_t>(SIGTERM));
  EXPECT_EQ(read(signals.get(), &info, sizeof(info)), -1);
  sigprocmask(SIG_SETMASK, &before, nullptr);
}

// --- Errors ---

TEST_F(FirstWordTest, AnotherWordIsNoAssignment) {
  CoordinatorSays(Admit{}, 0);
  EXPECT_TRUE(absl::IsFailedPrecondition(Heard().status()));
}

TEST_F(FirstWordTest, TooFewDescriptorsAreNoAssignment) {
  CoordinatorSays(Assign{}, kAssignDescriptors - 1);
  EXPECT_TRUE(absl::IsFailedPrecondition(Heard().status()));
}

TEST_F(FirstWordTest, SteeringThatDoesNotComeAlongIsNoAssignment) {
  Assign assign;
  assign.steering = 2;
  CoordinatorSays(assign, kAssignDescriptors + 1);
  EXPECT_TRUE(absl::IsFailedPrecondition(Heard().status()));
}

// It would come to serve, and the next coordinator may have looked for it already.
TEST_F(FirstWordTest, WhoseCoordinatorIsGoneBeforeItBeginsIsNotNeeded) {
  CoordinatorSays(Assign{}, kAssignDescriptors);
  coordinator_.Replace(Fd());
  EXPECT_TRUE(absl::IsUnavailable(Heard().status()));
}

TEST_F(FirstWordTest, CoordinatorThatIsGoneSaysNothing) {
  coordinator_.Replace(Fd());
  EXPECT_TRUE(absl::IsUnavailable(Heard().status()));
}

}  // namespace
}  // namespace uc::link
