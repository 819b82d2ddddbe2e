#include "core/base/fd.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <utility>

#include "gtest/gtest.h"

namespace uc {
namespace {

bool IsOpen(int fd) { return fcntl(fd, F_GETFD) != -1; }
Fd Some() { return Fd(open("/dev/null", O_RDONLY | O_CLOEXEC)); }

TEST(FdTest, EmptyOneOwnsNothing) {
  const Fd fd;
  EXPECT_FALSE(fd.valid());
  EXPECT_EQ(fd.get(), -1);
}

TEST(FdTest, ClosesAtTheEndOfItsLife) {
  int number = -1;
  {
    const Fd fd = Some();
    number = fd.get();
    EXPECT_TRUE(IsOpen(number));
  }
  EXPECT_FALSE(IsOpen(number));
}

TEST(FdTest, MovedFromOneIsEmptyAndClosesNothing) {
  Fd from = Some();
  const int number = from.get();
  const Fd to = std::move(from);
  from.Reset();
  EXPECT_EQ(to.get(), number);
  EXPECT_TRUE(IsOpen(number));
}

TEST(FdTest, AssignmentClosesWhatWasHeld) {
  Fd fd = Some();
  Fd other = Some();
  const int old = fd.get(), taken = other.get();
  fd = std::move(other);
  EXPECT_FALSE(IsOpen(old));
  EXPECT_EQ(fd.get(), taken);
}

TEST(FdTest, AssignmentToItselfKeepsIt) {
  Fd fd = Some();
  Fd& same = fd;
  fd = std::move(same);
  EXPECT_TRUE(fd.valid() && IsOpen(fd.get()));
}

TEST(FdTest, ReleasedOneStaysOpen) {
  Fd fd = Some();
  const int number = fd.Release();
  EXPECT_FALSE(fd.valid());
  EXPECT_TRUE(IsOpen(number));
  close(number);
}

TEST(FdTest, ResetClosesAndTakes) {
  Fd fd = Some();
  const int old = fd.get();
  const int fresh = open("/dev/null", O_RDONLY | O_CLOEXEC);
  fd.Reset(fresh);
  EXPECT_FALSE(IsOpen(old));
  EXPECT_EQ(fd.get(), fresh);
}

TEST(FdTest, DuplicateOutlivesTheFirstAndClosesOnExec) {
  Fd first = Some();
  const Fd second = first.Duplicate();
  EXPECT_NE(first.get(), second.get());
  first.Reset();
  EXPECT_TRUE(fcntl(second.get(), F_GETFD) & FD_CLOEXEC);
}

TEST(FdTest, DuplicateOfNothingIsNothing) { EXPECT_FALSE(Fd().Duplicate().valid()); }

TEST(FdTest, DuplicateIsEmptyWhenNoneAreLeft) {
  const Fd fd = Some();
  const pid_t child = fork();
  if (child == 0) {
    while (open("/dev/null", O_RDONLY | O_CLOEXEC) >= 0) continue;
    _exit(fd.Duplicate().valid() ? 1 : 0);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace uc
