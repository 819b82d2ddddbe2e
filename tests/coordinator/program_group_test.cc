// ProgramGroup: what a launcher that has gone had started, and nobody else, is ended.
#include "core/coordinator/program_group.h"

#include <fcntl.h>

#include <utility>

#include "tests/coordinator/former_stage.h"

namespace uc::coordinator {
namespace {

constexpr char kName[] = "URING_CLUSTER_NAME=web";
constexpr char kSlot[] = "URING_CLUSTER_SLOT=2";
constexpr char kGeneration[] = "URING_CLUSTER_GENERATION=7";

class ProgramGroupTest : public FormerStage {
 protected:
  ProgramGroupTest() {
    row(0).slot = 2;
    row(0).generation = 7;
  }
  ~ProgramGroupTest() override {
    if (leader_ > 0) kill(-leader_, SIGKILL);
  }
  // A leader, and a member that it has started: both with this environment. The member has been exec'd when this
  // returns, and stays as it is: stopped.
  void Program(std::vector<const char*> environment) {
    int ends[2];
    ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
    environment.push_back(nullptr);
    leader_ = fork();
    if (leader_ == 0) {
      setpgid(0, 0);
      dup2(ends[1], STDOUT_FILENO);
      const char* argv[] = {"sh", "-c", "sh -c 'echo here; kill -STOP $$' & wait", nullptr};
      execve("/bin/sh", const_cast<char**>(argv), const_cast<char**>(environment.data()));
      _exit(1);
    }
    close(ends[1]);
    char text[32];
    ASSERT_GT(read(ends[0], text, sizeof(text)), 0);
    close(ends[0]);
    children_.push_back(leader_);
    report(0).program_pid = leader_;
    report(0).program_start = scoreboard::ProcessStart(leader_);
  }
  void EndLeader() {
    kill(leader_, SIGKILL);
    waitpid(leader_, nullptr, 0);
  }
  bool Lives() { return ProgramGroupLives(layout(), 0); }

  pid_t leader_ = 0;
};

TEST_F(ProgramGroupTest, IsKnownByTheStartOfItsLeader) {
  Program({});
  EXPECT_TRUE(Lives());
  EXPECT_TRUE(EndProgramGroup(layout(), 0));
  EXPECT_TRUE(AwaitProgramGroup(layout(), 0, absl::Seconds(10)));
  EXPECT_FALSE(Lives());
}

TEST_F(ProgramGroupTest, LeaderThatStartedAtAnotherTimeIsSomebodyElse) {
  Program({kName, kSlot, kGeneration});
  report(0).program_start = report(0).program_start + 1;
  EXPECT_FALSE(EndProgramGroup(layout(), 0));
  EXPECT_EQ(kill(-leader_, 0), 0);
}

TEST_F(ProgramGroupTest, WithoutALeaderItIsKnownByItsEnvironment) {
  Program({kName, kSlot, kGeneration});
  EndLeader();
  EXPECT_TRUE(Lives());
  EXPECT_TRUE(EndProgramGroup(layout(), 0));
  EXPECT_TRUE(AwaitProgramGroup(layout(), 0, absl::Seconds(10)));
}

TEST_F(ProgramGroupTest, EnvironmentOfAnotherWorkerOrClusterIsSomebodyElse) {
  Program({kName, kSlot, "URING_CLUSTER_GENERATION=8"});
  EndLeader();
  EXPECT_FALSE(EndProgramGroup(layout(), 0));
  row(0).generation = 8;
  scoreboard::SetText(layout().header.name, sizeof(layout().header.name), "other");
  EXPECT_FALSE(EndProgramGroup(layout(), 0));
  scoreboard::SetText(layout().header.name, sizeof(layout().header.name), "web");
  EXPECT_TRUE(EndProgramGroup(layout(), 0));
}

// Of a program behind a worker, which was killed.
class StragglerTest : public ProgramGroupTest {
 protected:
  StragglerTest() {
    layout().header.program = static_cast<uint32_t>(scoreboard::AppKind::kBehindFronts);
    layout().header.program_user = geteuid();
    row(0).pid = getpid();
    row(0).process_start = scoreboard::ProcessStart(getpid());
    // The program itself has gone already.
    const pid_t gone = fork();
    if (gone == 0) _exit(0);
    waitpid(gone, nullptr, 0);
    report(0).program_pid = gone;
  }
  // In a session of its own.
  pid_t Straggler(std::vector<std::string> environment) {
    std::vector<const char*> variables;
    for (const std::string& one : environment) variables.push_back(one.c_str());
    Program(std::move(variables));
    return leader_;
  }
  std::vector<std::string> Marked(const std::string& notify) {
    return {kName, kSlot, kGeneration, "NOTIFY_SOCKET=" + notify};
  }
  // Whether it was.
  bool Ended(pid_t pid) { return waitpid(pid, nullptr, WNOHANG) == pid; }

  const std::string mark_ = absl::StrCat("@uring-cluster-notify-", getpid(), "-a1");
};

TEST_F(StragglerTest, IsKnownByTheWorkerInItsEnvironment) {
  const pid_t program = report(0).program_pid;
  for (const std::string& notify :
       {absl::StrCat("@uring-cluster-notify-", getpid(), "0-a1"), std::string("/run/notify")}) {
    const pid_t other = Straggler(Marked(notify));
    report(0).program_pid = program;
    EXPECT_FALSE(EndProgramGroup(layout(), 0)) << notify;
    EXPECT_EQ(kill(other, 0), 0);
    EXPECT_FALSE(Ended(other));
    kill(-other, SIGKILL);
  }
  const pid_t straggler = Straggler(Marked(mark_));
  report(0).program_pid = program;
  EXPECT_TRUE(EndProgramGroup(layout(), 0));
  int status = 0;
  EXPECT_EQ(waitpid(straggler, &status, 0), straggler);
  EXPECT_EQ(WTERMSIG(status), SIGKILL);
  leader_ = 0;
}

TEST_F(StragglerTest, OfAnotherClusterOrKindIsLeftAlone) {
  const pid_t program = report(0).program_pid;
  const pid_t straggler = Straggler(Marked(mark_));
  report(0).program_pid = program;
  scoreboard::SetText(layout().header.name, sizeof(layout().header.name), "other");
  EXPECT_FALSE(EndProgramGroup(layout(), 0));
  scoreboard::SetText(layout().header.name, sizeof(layout().header.name), "web");
  layout().header.program = static_cast<uint32_t>(scoreboard::AppKind::kProgram);
  EXPECT_FALSE(EndProgramGroup(layout(), 0));
  EXPECT_FALSE(Ended(straggler));
}

TEST_F(StragglerTest, IsNotLookedForWhereTheWorkerHasEndedItsProgram) {
  const pid_t straggler = Straggler(Marked(mark_));
  report(0).program_pid = 0;
  EXPECT_FALSE(EndProgramGroup(layout(), 0));
  EndProgramOf(layout(), 0);
  EXPECT_FALSE(Ended(straggler));
}

TEST_F(ProgramGroupTest, SenselessNumbersEndNobody) {
  for (const pid_t group : {0, 1, -1, getpgrp(), 0x7fffffff}) {
    report(0).program_pid = group;
    report(0).program_start = scoreboard::ProcessStart(group);
    EXPECT_FALSE(EndProgramGroup(layout(), 0)) << group;
  }
}

}  // namespace
}  // namespace uc::coordinator
