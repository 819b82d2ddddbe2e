#include "core/exec/offspring.h"

#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <map>
#include <string>
#include <vector>

#include "core/base/fd.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace uc::exec {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

class OffspringTest : public testing::Test {
 protected:
  // A shell that runs this; the pids that it prints, a line each, `count` of them.
  std::vector<pid_t> Shell(const std::string& script, size_t count) {
    int ends[2];
    EXPECT_EQ(pipe(ends), 0);
    const pid_t pid = fork();
    if (pid == 0) {
      sigset_t none;
      sigemptyset(&none);
      sigprocmask(SIG_SETMASK, &none, nullptr);
      dup2(ends[1], STDOUT_FILENO);
      close(ends[0]);
      close(ends[1]);
      execl("/bin/bash", "bash", "-c", script.c_str(), nullptr);
      _exit(127);
    }
    close(ends[1]);
    const Fd words(ends[0]);
    std::vector<pid_t> pids;
    std::string text;
    char byte;
    while (pids.size() < count && read(words.get(), &byte, 1) == 1) {
      if (byte != '\n') {
        text.push_back(byte);
        continue;
      }
      pids.push_back(std::stoi(text));
      text.clear();
    }
    EXPECT_EQ(pids.size(), count);
    return pids;
  }
  // Until `pid` has ended, or nobody is left. False: nobody is left.
  bool ReapUntil(pid_t pid) {
    for (;;) {
      const bool somebody = ReapOffspring(
          watch_, {.ended = [this](pid_t one) { ended_.push_back(one); },
                   .reaped = [this](pid_t one, int status) { reaped_[one] = status; }});
      if (!somebody || reaped_.count(pid) > 0) return somebody;
      pollfd watch = {watch_.get(), POLLIN, 0};
      if (poll(&watch, 1, 10'000) != 1) {
        ADD_FAILURE() << "nobody ends";
        return somebody;
      }
    }
  }
  static bool Lives(pid_t pid) { return kill(pid, 0) == 0; }

  Fd watch_ = *WatchOffspring();
  std::vector<pid_t> ended_;
  std::map<pid_t, int> reaped_;
};

TEST_F(OffspringTest, NobodyIsLeftWhereNobodyWas) {
  EXPECT_FALSE(ReapUntil(0));
  EXPECT_THAT(ended_, IsEmpty());
  KillOffspring();
}

TEST_F(OffspringTest, EndsAreToldWithTheirStatus) {
  const std::vector<pid_t> shell = Shell("echo $$; exit 7", 1);
  EXPECT_FALSE(ReapUntil(0));
  EXPECT_EQ(ended_, shell);
  EXPECT_THAT(reaped_, ElementsAre(Pair(shell[0], 7 << 8)));
}

TEST_F(OffspringTest, OrphansAreReapedWhileOthersLive) {
  // The first one ends and leaves a child, which ends later.
  const std::vector<pid_t> pids =
      Shell("echo $$; sleep 1000 & (tail --pid=$$ -f /dev/null; exit 3) & echo $!", 2);
  EXPECT_TRUE(ReapUntil(pids[1]));
  EXPECT_THAT(reaped_, Contains(Pair(pids[1], 3 << 8)));
  KillOffspring();
  EXPECT_FALSE(ReapUntil(0));
}

TEST_F(OffspringTest, AllThatDescendsIsKilledWhereverItHasGone) {
  const std::vector<pid_t> pids = Shell(
      "echo $$; sleep 1000 & echo $!; setsid bash -c 'echo $$; sleep 1000 & echo $!; wait' & "
      "(setsid bash -c 'echo $$; exec sleep 1000' &); wait",
      5);
  KillOffspring();
  EXPECT_FALSE(ReapUntil(0)) << "at one go: nobody starts anybody any more";
  for (const pid_t pid : pids) EXPECT_FALSE(Lives(pid)) << pid;
}

TEST_F(OffspringTest, StrangersAreLeftAlone) {
  KillOffspring();
  EXPECT_TRUE(Lives(getppid()));
}

}  // namespace
}  // namespace uc::exec
