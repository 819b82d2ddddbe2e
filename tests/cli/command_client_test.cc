#include "tools/command_client.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "core/base/fd.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace uc::tools {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// What a fake coordinator has: the command that came, and the way back.
struct Asked {
  std::string command;
  std::string reply_path;
  int reply = -1;

  void Open() { reply = open(reply_path.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC); }
  void Say(absl::string_view text) {
    if (reply < 0) Open();
    if (write(reply, text.data(), text.size()) < 0) _exit(9);
  }
};

// Reads until one whole line "@ticket command" has come.
Asked ReadCommand(const std::string& directory, int control) {
  std::string text;
  size_t at = std::string::npos;
  while ((at = text.find('@')) == std::string::npos || text.find('\n', at) == std::string::npos) {
    char bytes[4096];
    const ssize_t size = read(control, bytes, sizeof(bytes));
    if (size <= 0) _exit(8);
    text.append(bytes, size);
  }
  const size_t space = text.find(' ', at);
  return {text.substr(space + 1, text.find('\n', at) - space - 1),
          directory + "/replies/" + text.substr(at + 1, space - at - 1)};
}

class CommandClientTest : public testing::Test {
 protected:
  CommandClientTest() {
    std::string pattern = absl::StrCat(testing::TempDir(), "/client-XXXXXX");
    directory_ = mkdtemp(pattern.data());
    mkdir((directory_ + "/replies").c_str(), 0700);
    mkfifo((directory_ + "/control").c_str(), 0600);
  }
  ~CommandClientTest() override {
    if (coordinator_ > 0) {
      kill(coordinator_, SIGKILL);
      waitpid(coordinator_, nullptr, 0);
    }
    std::filesystem::remove_all(directory_);
  }

  // A process with the lock, the pid file and the control pipe. Lives on until it is killed, unless
  // `answer` ends it; without `answer` it never reads its pipe.
  void StartCoordinator(const std::function<void(Asked&)>& answer) {
    int ends[2];
    ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
    coordinator_ = fork();
    if (coordinator_ == 0) {
      const int lock = open((directory_ + "/lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
      const int control = open((directory_ + "/control").c_str(), O_RDWR | O_CLOEXEC);
      if (flock(lock, LOCK_EX | LOCK_NB) != 0) _exit(7);
      std::ofstream(directory_ + "/pid") << getpid() << "\n";
      if (write(ends[1], "x", 1) != 1) _exit(6);
      if (answer) {
        Asked asked = ReadCommand(directory_, control);
        answer(asked);
      }
      for (;;) pause();
    }
    char byte;
    ASSERT_EQ(read(ends[0], &byte, 1), 1);
    close(ends[0]);
    close(ends[1]);
  }
  absl::StatusOr<Answer> Send(const std::string& command) {
    return SendCommand(directory_, command,
                       [this](absl::string_view line) { progress_.emplace_back(line); });
  }
  void ExpectUnavailable(const std::string& because) {
    const absl::Status status = Send("ping").status();
    EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(because));
    EXPECT_TRUE(std::filesystem::is_empty(directory_ + "/replies"));
  }
  void ExpectAnswer(const absl::StatusOr<Answer>& answer, const std::string& outcome,
                    const std::string& text) {
    ASSERT_TRUE(answer.ok()) << answer.status();
    EXPECT_EQ(answer->outcome, outcome);
    EXPECT_EQ(answer->text, text);
    EXPECT_TRUE(std::filesystem::is_empty(directory_ + "/replies"));
  }
  bool CoordinatorHasEnded() {
    siginfo_t info = {};
    waitid(P_PID, coordinator_, &info, WEXITED | WNOHANG | WNOWAIT);
    return info.si_pid == coordinator_;
  }

  std::string directory_;
  std::vector<std::string> progress_;
  pid_t coordinator_ = 0;
};

TEST_F(CommandClientTest, ProgressThenDone) {
  StartCoordinator([](Asked& asked) {
    asked.Say("progress slot 0 ready\nprogress slot 1 ready\n");
    asked.Say("done 2 workers\n");
  });
  ExpectAnswer(Send("scale 2"), "done", "2 workers");
  EXPECT_THAT(progress_, ElementsAre("slot 0 ready", "slot 1 ready"));
}

TEST_F(CommandClientTest, CommandComesWholeWithItsTicket) {
  StartCoordinator([](Asked& asked) { asked.Say("done " + asked.command + "\n"); });
  ExpectAnswer(Send("scale +1 now"), "done", "scale +1 now");
}

TEST_F(CommandClientTest, TornLineOfSomebodyElseDoesNoHarm) {
  StartCoordinator([](Asked& asked) { asked.Say("done " + asked.command + "\n"); });
  const Fd control(open((directory_ + "/control").c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC));
  ASSERT_EQ(write(control.get(), "sca", 3), 3);
  ExpectAnswer(Send("ping"), "done", "ping");
}

TEST_F(CommandClientTest, RefusalIsAnAnswer) {
  StartCoordinator([](Asked& asked) { asked.Say("refused a roll is under way\n"); });
  ExpectAnswer(Send("reload"), "refused", "a roll is under way");
}

TEST_F(CommandClientTest, AnswerWithoutTextIsAnAnswer) {
  StartCoordinator([](Asked& asked) { asked.Say("done\n"); });
  ExpectAnswer(Send("ping"), "done", "");
}

TEST_F(CommandClientTest, AnswerMayComeInPieces) {
  StartCoordinator([](Asked& asked) {
    for (const char byte : std::string("progress a\nfailed b c\n")) asked.Say({&byte, 1});
  });
  ExpectAnswer(Send("reload"), "failed", "b c");
  EXPECT_THAT(progress_, ElementsAre("a"));
}

TEST_F(CommandClientTest, LongProgressIsHeardWhole) {
  StartCoordinator([](Asked& asked) {
    for (int i = 0; i < 500; ++i) asked.Say(absl::StrCat("progress ", std::string(80, 'p'), "\n"));
    asked.Say("done\n");
  });
  ExpectAnswer(Send("reload"), "done", "");
  EXPECT_EQ(progress_.size(), 500u);
}

TEST_F(CommandClientTest, AnswerGivenBeforeDeathIsHeard) {
  StartCoordinator([](Asked& asked) {
    asked.Say("progress a\ndone b\n");
    _exit(0);
  });
  ExpectAnswer(Send("ping"), "done", "b");
  EXPECT_THAT(progress_, ElementsAre("a"));
}

TEST_F(CommandClientTest, DeathWithoutAnswerIsUnavailable) {
  StartCoordinator([](Asked&) { _exit(1); });
  ExpectUnavailable("ended before it answered");
}

TEST_F(CommandClientTest, DeathInTheMiddleOfAnAnswerIsUnavailable) {
  StartCoordinator([](Asked& asked) {
    asked.Say("progress a\ndone 2 wor");
    _exit(1);
  });
  ExpectUnavailable("ended before it answered");
  EXPECT_THAT(progress_, ElementsAre("a"));
}

TEST_F(CommandClientTest, StopReturnsOnlyWhenTheCoordinatorHasEnded) {
  StartCoordinator([](Asked& asked) {
    asked.Say("done stopped\n");
    for (int i = 0; i < 1000; ++i) sched_yield();  // the answer is out long before the end
    _exit(0);
  });
  ExpectAnswer(Send("stop"), "done", "stopped");
  EXPECT_TRUE(CoordinatorHasEnded());
}

TEST_F(CommandClientTest, CommandThatWasTakenGoesOnWhenTheWaitingIsInterrupted) {
  StartCoordinator([](Asked& asked) {
    asked.Open();
    if (flock(asked.reply, LOCK_SH | LOCK_NB) != 0) _exit(5);
    kill(getppid(), SIGTERM);
  });
  const absl::Status status = Send("reload").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(status.message(), "interrupted; the command itself goes on");
  sigset_t terminations = {};
  sigaddset(&terminations, SIGTERM);
  const timespec now = {};
  EXPECT_EQ(sigtimedwait(&terminations, nullptr, &now), SIGTERM);
}

TEST_F(CommandClientTest, InterruptEndsTheWaitingAndLeavesNoReply) {
  StartCoordinator([](Asked&) { kill(getppid(), SIGTERM); });
  const absl::Status status = Send("reload").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(status.message(), "interrupted; the command is withdrawn");
  EXPECT_TRUE(std::filesystem::is_empty(directory_ + "/replies"));
  EXPECT_FALSE(CoordinatorHasEnded());
  sigset_t terminations = {};
  sigaddset(&terminations, SIGTERM);
  const timespec now = {};
  EXPECT_EQ(sigtimedwait(&terminations, nullptr, &now), SIGTERM);
}

TEST_F(CommandClientTest, NobodyWithTheLockIsUnavailable) {
  std::ofstream(directory_ + "/lock") << "";
  std::ofstream(directory_ + "/pid") << getpid() << "\n";
  ExpectUnavailable("gone");
}

TEST_F(CommandClientTest, PidFileWithoutANumberIsUnavailable) {
  StartCoordinator(nullptr);
  for (const char* text : {"", "x\n", "-1\n", "0\n"}) {
    std::ofstream(directory_ + "/pid") << text;
    ExpectUnavailable("gone");
  }
}

TEST_F(CommandClientTest, NoControlPipeIsUnavailable) {
  StartCoordinator(nullptr);
  unlink((directory_ + "/control").c_str());
  ExpectUnavailable("control");
}

TEST_F(CommandClientTest, FullControlPipeIsSaid) {
  StartCoordinator(nullptr);
  const Fd control(open((directory_ + "/control").c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC));
  const std::string page(4096, '\n');
  while (write(control.get(), page.data(), page.size()) > 0) continue;
  ExpectUnavailable("full");
}

TEST_F(CommandClientTest, NoWayBackIsAnErrorThatNamesTheFolder) {
  StartCoordinator(nullptr);
  rmdir((directory_ + "/replies").c_str());
  EXPECT_THAT(std::string(Send("ping").status().message()), HasSubstr(directory_ + "/replies"));
}

}  // namespace
}  // namespace uc::tools
