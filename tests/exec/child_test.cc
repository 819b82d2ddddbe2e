#include "core/exec/child.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace uc::exec {
namespace {

using testing::HasSubstr;

class ChildTest : public testing::Test {
 protected:
  ChildOptions Shell(const std::string& script) {
    ChildOptions options;
    options.program.argv = {"/bin/sh", "-c", script};
    options.environment = {absl::StrCat("PATH=", getenv("PATH"))};
    return options;
  }
  // Its wait status.
  static int End(const Child& child) {
    pollfd watch = {child.fd(), POLLIN, 0};
    EXPECT_EQ(poll(&watch, 1, 10'000), 1) << "it does not end";
    return child.Reap().value_or(-1);
  }
  int Run(const ChildOptions& options) {
    const absl::StatusOr<Child> child = Child::Start(options);
    EXPECT_TRUE(child.ok()) << child.status();
    return child.ok() ? End(*child) : -1;
  }
};

TEST_F(ChildTest, EndsAsTheProgramEnds) {
  EXPECT_EQ(WEXITSTATUS(Run(Shell("exit 7"))), 7);
  EXPECT_EQ(WTERMSIG(Run(Shell("kill -TERM $$"))), SIGTERM);
}

TEST_F(ChildTest, EnvironmentIsWhatIsGivenAndNothingElse) {
  setenv("UC_OURS", "inherited", 1);
  ChildOptions options = Shell("test \"$UC_GIVEN\" = given && test -z \"$UC_OURS\"");
  options.environment = {"UC_GIVEN=given"};
  EXPECT_EQ(Run(options), 0);
  unsetenv("UC_OURS");
}

TEST_F(ChildTest, SoftLimitOfOpenFilesIsItsOwn) {
  ChildOptions options = Shell("test $(ulimit -Sn) = 77 && test $(ulimit -Hn) != 77");
  options.descriptors = 77;
  EXPECT_EQ(Run(options), 0);
  rlimit ours;
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &ours), 0);
  EXPECT_NE(ours.rlim_cur, 77u);
  options = Shell("test $(ulimit -Sn) = $(ulimit -Hn)");
  options.descriptors = 1 << 30;  // as much as it may
  EXPECT_EQ(Run(options), 0);
}

TEST_F(ChildTest, RunsInItsDirectoryAndInAGroupOfItsOwn) {
  ChildOptions options = Shell("test $(pwd) = /proc && test $(cut -d' ' -f5 /proc/$$/stat) = $$");
  options.directory = "/proc";
  EXPECT_EQ(Run(options), 0);
}

TEST_F(ChildTest, ListenersAreToldAsSystemdTellsThem) {
  const Fd one(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const Fd two(socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ChildOptions options = Shell(
      "test $LISTEN_FDS = 2 && test $LISTEN_PID = $$ && test -S /proc/$$/fd/3 && test -S "
      "/proc/$$/fd/4");
  options.listeners = {one.get(), two.get()};
  EXPECT_EQ(Run(options), 0);
}

TEST_F(ChildTest, NothingElseIsInherited) {
  const Fd pipe(dup(STDOUT_FILENO));  // without O_CLOEXEC
  ChildOptions options =
      Shell("test -z \"$LISTEN_FDS$NODE_CHANNEL_FD\" && test ! -e /proc/$$/fd/3");
  options.environment = {"LISTEN_FDS=1", "NODE_CHANNEL_FD=9"};
  EXPECT_EQ(Run(options), 0);
}

// The shell's stdout is what `fd` refers to.
class ChildOutputTest : public ChildTest {
 protected:
  ChildOutputTest() : stdout_(fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3)) {}
  ~ChildOutputTest() override { dup2(stdout_.get(), STDOUT_FILENO); }
  void SetStdout(const Fd& fd) { ASSERT_EQ(dup2(fd.get(), STDOUT_FILENO), STDOUT_FILENO); }

  const Fd stdout_;
};

TEST_F(ChildOutputTest, FifoThatWeReadIsForWritingOnly) {
  const std::string path = std::string(getenv("TEST_TMPDIR")) + "/fifo";
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  const Fd fifo(open(path.c_str(), O_RDWR | O_CLOEXEC));
  SetStdout(fifo);
  EXPECT_EQ(Run(Shell("test $(grep flags /proc/$$/fdinfo/1 | tail -c 2) = 1 && echo hello")), 0);
  char text[16] = {};
  EXPECT_EQ(read(fifo.get(), text, sizeof(text)), 6) << "the launcher's own stays open for reading";
  EXPECT_STREQ(text, "hello\n");
}

TEST_F(ChildOutputTest, AnotherUserOpensThePipeThatIsItsStdoutForWritingOnly) {
  ChildOptions options = Shell("true");
  options.identity = Identity{.user = "64015",
                              .home = "/",
                              .group = "64015",
                              .uid = 64015,
                              .gid = 64015,
                              .groups = {64015}};
  if (!Child::Start(options).ok()) GTEST_SKIP() << "we cannot start a program as another user";
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
  const Fd reader(ends[0]);
  const Fd writer(ends[1]);
  SetStdout(writer);
  options.program =
      Shell("echo hello > /dev/stdout && ! (: < /dev/stdout) 2> /dev/null && test $(id -u) != 0")
          .program;
  EXPECT_EQ(Run(options), 0);
  char text[16] = {};
  EXPECT_EQ(read(reader.get(), text, sizeof(text)), 6);
}

TEST_F(ChildTest, SignalsAreAsTheProgramExpectsThem) {
  signal(SIGXFSZ, SIG_IGN);
  EXPECT_EQ(WTERMSIG(Run(Shell("kill -XFSZ $$"))), SIGXFSZ);
  signal(SIGUSR1, SIG_IGN);
  EXPECT_EQ(WTERMSIG(Run(Shell("kill -USR1 $$"))), SIGUSR1);
  signal(SIGUSR1, SIG_DFL);
}

TEST_F(ChildTest, WholeGroupIsKilled) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const Fd reading(ends[0]);
  Fd writing(ends[1]);
  ChildOptions options = Shell("cat /dev/zero >/dev/null & wait");
  options.listeners = {writing.get()};  // any descriptor: it is open as long as one of them lives
  const absl::StatusOr<Child> child = Child::Start(options);
  ASSERT_TRUE(child.ok()) << child.status();
  writing.Reset();
  child->KillGroup();
  EXPECT_EQ(WTERMSIG(End(*child)), SIGKILL);
  char byte;
  EXPECT_EQ(read(reading.get(), &byte, 1), 0);
}

// --- Errors ---

TEST_F(ChildTest, WhatCannotBeExecutedSaysWhy) {
  ChildOptions options;
  options.program.argv = {"/no/such/program"};
  EXPECT_THAT(std::string(Child::Start(options).status().message()),
              HasSubstr("/no/such/program: No such file"));
}

TEST_F(ChildTest, MissingDirectoryIsNamed) {
  ChildOptions options = Shell("true");
  options.directory = "/no/such/directory";
  EXPECT_THAT(std::string(Child::Start(options).status().message()), HasSubstr("--cwd"));
}

TEST_F(ChildTest, RunsAsItsUserAndGroupOrSaysThatItMayNot) {
  ChildOptions options = Shell("test $(id -u) = 64013 && test $(id -G) = 64014");
  options.identity = Identity{.user = "64013",
                              .home = "/",
                              .group = "64014",
                              .uid = 64013,
                              .gid = 64014,
                              .groups = {64014}};
  const absl::StatusOr<Child> child = Child::Start(options);
  if (child.ok()) {
    EXPECT_EQ(End(*child), 0);
  } else {  // not root, or a sandbox that knows no other user
    EXPECT_THAT(std::string(child.status().message()), HasSubstr("--user: "));
  }
}

}  // namespace
}  // namespace uc::exec
