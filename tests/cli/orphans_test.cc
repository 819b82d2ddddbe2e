#include "tools/orphans.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "core/base/fd.h"
#include "core/link/channel.h"
#include "core/scoreboard/process_start.h"
#include "core/scoreboard/scoreboard.h"
#include "gtest/gtest.h"

namespace uc::tools {
namespace {

// The directory of a cluster whose coordinator is gone.
class OrphansTest : public testing::Test {
 protected:
  OrphansTest() {
    std::string pattern = absl::StrCat(testing::TempDir(), "/orphans-XXXXXX");
    directory_ = mkdtemp(pattern.data());
    board_.emplace(scoreboard::Scoreboard::Create(directory_ + "/scoreboard").value());
    mkdir((directory_ + "/replies").c_str(), 0700);
    mkdir((directory_ + "/doors").c_str(), 0700);
    mkfifo((directory_ + "/control").c_str(), 0600);
    std::ofstream(directory_ + "/lock") << "";
    std::ofstream(directory_ + "/pid") << "1\n";
  }
  ~OrphansTest() override {
    for (const pid_t child : children_) {
      kill(child, SIGKILL);
      waitpid(child, nullptr, 0);
    }
    std::filesystem::remove_all(directory_);
  }

  enum class Door { kKept, kNone };
  // A process that waits for signals, recorded as the worker of that slot.
  pid_t Worker(uint32_t slot, Door door = Door::kKept) {
    Fd kept;
    if (door == Door::kKept) {
      kept = link::MakeDoor(absl::StrCat(directory_, "/doors/", slot + 1)).value();
    }
    int ends[2];
    EXPECT_EQ(pipe2(ends, O_CLOEXEC), 0);
    const pid_t child = fork();
    if (child == 0) {
      if (kept.valid()) link::KeepDoor(kept);
      if (write(ends[1], "x", 1) == 1) pause();
      _exit(1);
    }
    char byte;
    EXPECT_EQ(read(ends[0], &byte, 1), 1);
    close(ends[0]);
    close(ends[1]);
    children_.push_back(child);
    Record(slot, child);
    return child;
  }
  // A process that serves what the launcher of this row had started, in a group of its own.
  pid_t Program(uint32_t slot, std::vector<std::string> environment) {
    int ends[2];
    EXPECT_EQ(pipe2(ends, O_CLOEXEC), 0);
    const pid_t child = fork();
    if (child == 0) {
      setpgid(0, 0);
      std::vector<char*> variables;
      for (std::string& variable : environment) variables.push_back(variable.data());
      variables.push_back(nullptr);
      char* argv[] = {const_cast<char*>("sleep"), const_cast<char*>("1000"), nullptr};
      execve("/bin/sleep", argv, variables.data());
      _exit(1);
    }
    close(ends[1]);
    char byte;
    EXPECT_EQ(read(ends[0], &byte, 1), 0);  // closed by exec
    close(ends[0]);
    children_.push_back(child);
    board_->layout().header.program = 1;
    board_->layout().reports.rows[slot].program_pid = child;
    return child;
  }
  void Record(uint32_t slot, pid_t pid) {
    scoreboard::WorkerRow& row = board_->layout().workers[slot];
    row.slot = slot;
    row.generation = slot + 1;
    row.pid = pid;
    row.state = static_cast<uint32_t>(scoreboard::RowState::kServing);
  }
  bool Exists(const std::string& path) { return access(path.c_str(), F_OK) == 0; }
  bool Lives(pid_t child) { return waitpid(child, nullptr, WNOHANG) == 0; }
  // The signal that ended it; then it is no child of ours any more.
  int EndedBy(pid_t child) {
    int status = 0;
    return waitpid(child, &status, WNOHANG) == child && WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  }

  std::string directory_;
  std::optional<scoreboard::Scoreboard> board_;
  std::vector<pid_t> children_;
};

TEST_F(OrphansTest, RecordedWorkersAreCounted) {
  Worker(0);
  Worker(17);
  EXPECT_EQ(CountOrphans(directory_), 2);
}

TEST_F(OrphansTest, WorkersAreEndedBySigtermAndTheDirectoryGoes) {
  const pid_t worker = Worker(0);
  EXPECT_EQ(*EndOrphans(directory_), 1);
  EXPECT_EQ(EndedBy(worker), SIGTERM);
  EXPECT_FALSE(Exists(directory_));
}

// Who keeps no door here is not ours, whatever number it was given.
TEST_F(OrphansTest, ForeignProcessWithARecordedNumberIsLeftAlone) {
  const pid_t foreign = Worker(0, Door::kNone);
  EXPECT_EQ(CountOrphans(directory_), 0);
  EXPECT_EQ(*EndOrphans(directory_), 0);
  EXPECT_TRUE(Lives(foreign));
}

TEST_F(OrphansTest, DoorOfADeadWorkerIsKeptByNobody) {
  { const Fd door = link::MakeDoor(directory_ + "/doors/1").value(); }
  const pid_t foreign = Worker(0, Door::kNone);
  EXPECT_EQ(*EndOrphans(directory_), 0);
  EXPECT_TRUE(Lives(foreign));
}

TEST_F(OrphansTest, FreeRowsAreNotLookedAt) {
  const pid_t worker = Worker(0, Door::kNone);
  board_->layout().workers[0].process_start = scoreboard::ProcessStart(worker);
  board_->layout().workers[0].state = 0;
  EXPECT_EQ(*EndOrphans(directory_), 0);
  EXPECT_TRUE(Lives(worker));
}

TEST_F(OrphansTest, SenselessNumbersAreLeftAlone) {
  Record(0, 0);
  Record(1, -1);
  Record(2, 0x7fffffff);
  EXPECT_EQ(CountOrphans(directory_), 0);
  EXPECT_EQ(*EndOrphans(directory_), 0);
}

// The coordinator died between the birth and its entry.
TEST_F(OrphansTest, WorkerThatIsInNoRowIsEndedByItsDoor) {
  const pid_t worker = Worker(0);
  board_->layout().workers[0].state = 0;
  EXPECT_EQ(CountOrphans(directory_), 1);
  EXPECT_EQ(*EndOrphans(directory_), 1);
  EXPECT_EQ(EndedBy(worker), SIGTERM);
  EXPECT_FALSE(Exists(directory_));
}

TEST_F(OrphansTest, RowThatNamesAnotherProcessIsNotBelieved) {
  const pid_t foreign = Worker(1, Door::kNone);
  const pid_t worker = Worker(0);
  board_->layout().workers[0].pid = foreign;
  EXPECT_EQ(*EndOrphans(directory_), 1);
  EXPECT_EQ(EndedBy(worker), SIGTERM);
  EXPECT_TRUE(Lives(foreign));
}

TEST_F(OrphansTest, ScoreboardOfAnotherVersionDoesNotHideTheWorkers) {
  const pid_t worker = Worker(0);
  board_->layout().header.version = 1;
  EXPECT_EQ(CountOrphans(directory_), 1);
  EXPECT_EQ(*EndOrphans(directory_), 1);
  EXPECT_EQ(EndedBy(worker), SIGTERM);
}

TEST_F(OrphansTest, WorkerWithoutADoorIsKnownByItsStart) {
  const pid_t worker = Worker(0, Door::kNone);
  board_->layout().workers[0].process_start = scoreboard::ProcessStart(worker);
  EXPECT_EQ(CountOrphans(directory_), 1);
  EXPECT_EQ(*EndOrphans(directory_), 1);
  EXPECT_EQ(EndedBy(worker), SIGTERM);
}

// What a worker has forked keeps its door, and the worker is gone: nobody knows who that is.
TEST_F(OrphansTest, WhoeverKeepsTheDoorOfADeadWorkerIsNotSignalledAndNotForgotten) {
  const Fd door = link::MakeDoor(directory_ + "/doors/1").value();
  const pid_t foreign = Worker(0, Door::kNone);
  EXPECT_EQ(CountOrphans(directory_), 1);
  const absl::StatusOr<int> ended = EndOrphans(directory_, OrphanEnd::kAtOnce);
  EXPECT_TRUE(absl::IsDeadlineExceeded(ended.status())) << ended.status();
  EXPECT_TRUE(Lives(foreign));
  EXPECT_TRUE(Exists(directory_ + "/scoreboard"));
}

TEST_F(OrphansTest, ProgramWhoseLauncherIsGoneIsEndedByTheStartOfItsLeader) {
  Record(0, 0x7fffffff);
  const pid_t program = Program(0, {});
  board_->layout().reports.rows[0].program_start = scoreboard::ProcessStart(program);
  EXPECT_EQ(CountOrphans(directory_), 1);
  EXPECT_EQ(*EndOrphans(directory_), 1);
  EXPECT_EQ(EndedBy(program), SIGKILL);
}

TEST_F(OrphansTest, GroupThatHasGotTheProgramsNumberIsLeftAlone) {
  Record(0, 0x7fffffff);
  const pid_t program = Program(0, {});
  board_->layout().reports.rows[0].program_start = scoreboard::ProcessStart(program) + 1;
  EXPECT_EQ(CountOrphans(directory_), 0);
  EXPECT_EQ(*EndOrphans(directory_), 0);
  EXPECT_TRUE(Lives(program));
}

TEST_F(OrphansTest, NoScoreboardMeansNoWorkersAndTheRestIsRemoved) {
  unlink((directory_ + "/scoreboard").c_str());
  EXPECT_EQ(CountOrphans(directory_), 0);
  EXPECT_EQ(*EndOrphans(directory_), 0);
  EXPECT_FALSE(Exists(directory_));
}

TEST_F(OrphansTest, ForeignFilesKeepTheDirectory) {
  std::ofstream(directory_ + "/notes") << "mine";
  EXPECT_TRUE(EndOrphans(directory_).ok());
  EXPECT_TRUE(Exists(directory_ + "/notes"));
}

TEST_F(OrphansTest, ReplyLeftByAKilledAskerDoesNotKeepTheDirectory) {
  mkfifo((directory_ + "/replies/cli-1-2").c_str(), 0600);
  EXPECT_TRUE(EndOrphans(directory_).ok());
  EXPECT_FALSE(Exists(directory_));
}

}  // namespace
}  // namespace uc::tools
