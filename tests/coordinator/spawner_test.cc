#include "core/coordinator/spawner.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <string>

#include "core/base/fd.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace uc::coordinator {
namespace {

using testing::HasSubstr;

class SpawnerTest : public testing::Test {
 protected:
  SpawnerTest() {
    int ends[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    ours_.Reset(ends[0]);
    theirs_.Reset(ends[1]);
  }
  // Runs a shell script with its end of the link at 3 and waits for its end.
  ExitReport RunScript(const std::string& script) {
    const auto spawned = SpawnWorker("/bin/sh", {"sh", "-c", script}, theirs_.get());
    EXPECT_TRUE(spawned.ok()) << spawned.status();
    theirs_.Reset();
    pollfd watch = {spawned->pidfd.get(), POLLIN, 0};
    EXPECT_EQ(poll(&watch, 1, 10'000), 1);
    return Reap(spawned->pidfd).value();
  }
  std::string ReadLink() {
    std::string text;
    char buffer[256];
    for (ssize_t size; (size = read(ours_.get(), buffer, sizeof(buffer))) > 0;)
      text.append(buffer, size);
    return text;
  }

  Fd ours_;
  Fd theirs_;
};

TEST_F(SpawnerTest, ChildFindsItsLinkAtDescriptorThree) {
  EXPECT_TRUE(RunScript("echo hello >&3").clean);
  EXPECT_EQ(ReadLink(), "hello\n");
}

TEST_F(SpawnerTest, ChildInheritsNothingElse) {
  const Fd leaky(open("/dev/null", O_RDONLY));  // on purpose without O_CLOEXEC
  const Fd high(fcntl(leaky.get(), F_DUPFD, 50));
  EXPECT_TRUE(RunScript("test -e /proc/self/fd/50 && exit 1; exit 0").clean);
}

TEST_F(SpawnerTest, ChildHasAProcessGroupOfItsOwn) {
  EXPECT_TRUE(
      RunScript("read pid comm state ppid pgrp rest < /proc/self/stat; test $pgrp = $$").clean);
}

TEST_F(SpawnerTest, EnvironmentIsOursUnlessAnotherIsGiven) {
  setenv("UC_SECRET", "ours", 1);
  EXPECT_EQ(RunScript("echo $UC_SECRET >&3").clean, true);
  EXPECT_EQ(ReadLink(), "ours\n");
}

TEST_F(SpawnerTest, NothingOfOursIsInAnEnvironmentThatIsGiven) {
  setenv("UC_SECRET", "ours", 1);
  const auto spawned =
      SpawnWorker("/bin/cat", {"cat", "/proc/self/environ"}, theirs_.get(), {theirs_.get(), -1},
                  std::vector<std::string>{"GIVEN=1", "LINES=one\ntwo"});
  ASSERT_TRUE(spawned.ok()) << spawned.status();
  theirs_.Reset();
  EXPECT_EQ(ReadLink(), std::string("GIVEN=1\0LINES=one\ntwo\0", 22));
}

TEST_F(SpawnerTest, ExitCodeIsReported) {
  const ExitReport report = RunScript("exit 3");
  EXPECT_FALSE(report.clean);
  EXPECT_EQ(report.reason, "exited with code 3");
}

TEST_F(SpawnerTest, DeadlySignalIsReportedByName) {
  EXPECT_EQ(RunScript("kill -SEGV $$").reason, "killed by SIGSEGV");
}

TEST_F(SpawnerTest, RunningChildIsNotReaped) {
  const auto spawned = SpawnWorker("/bin/sh", {"sh", "-c", "read line <&3"}, theirs_.get());
  ASSERT_TRUE(spawned.ok());
  EXPECT_TRUE(absl::IsUnavailable(Reap(spawned->pidfd).status()));
  syscall(SYS_pidfd_send_signal, spawned->pidfd.get(), SIGKILL, nullptr, 0);
  pollfd watch = {spawned->pidfd.get(), POLLIN, 0};
  ASSERT_EQ(poll(&watch, 1, 10'000), 1);
  EXPECT_EQ(Reap(spawned->pidfd)->reason, "killed by SIGKILL");
}

TEST_F(SpawnerTest, MissingBinaryIsTheOperatorsFault) {
  const auto spawned = SpawnWorker("/nowhere/uring-cluster", {"uring-cluster"}, theirs_.get());
  EXPECT_TRUE(absl::IsFailedPrecondition(spawned.status()));
  EXPECT_THAT(std::string(spawned.status().message()), HasSubstr("/nowhere/uring-cluster"));
}

}  // namespace
}  // namespace uc::coordinator
