// Survivors: who is found of a cluster whose coordinator has gone, and who is signalled.
#include "core/coordinator/survivors.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "tests/coordinator/former_stage.h"

namespace uc::coordinator {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr absl::Duration kPatience = absl::Seconds(10);

class SurvivorsTest : public FormerStage {
 protected:
  std::vector<Survivor> Find() { return *FindSurvivors(directory_, &layout()); }
};

TEST_F(SurvivorsTest, WorkerInNoRowIsFoundByItsDoor) {
  const pid_t worker = Keeper(7);
  EXPECT_THAT(*KeptDoors(directory_), ElementsAre(7));
  const std::vector<Survivor> found = *FindSurvivors(directory_, nullptr);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].pid, worker);
  EXPECT_EQ(found[0].generation, 7u);
  EXPECT_FALSE(found[0].row.has_value());
}

// Whose doors another folder has are not ours, and behind the link ours may be kept.
TEST_F(SurvivorsTest, DoorsBehindALinkAreAnError) {
  Keeper(7);
  const std::string doors = directory_ + "/doors";
  ASSERT_EQ(rename(doors.c_str(), (directory_ + "/elsewhere").c_str()), 0);
  ASSERT_EQ(symlink("elsewhere", doors.c_str()), 0);
  EXPECT_FALSE(KeptDoors(directory_).ok());
  EXPECT_FALSE(FindSurvivors(directory_, &layout()).ok());
  EXPECT_FALSE(CountSurvivors(directory_, nullptr).ok());
}

// A folder that cannot be read is no folder without doors: workers that serve would be taken for gone.
TEST_F(SurvivorsTest, DoorsThatCannotBeReadAreAnError) {
  const pid_t worker = Keeper(7);
  struct rlimit before;
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  const Fd highest(dup(STDIN_FILENO));
  const rlimit none_left = {static_cast<rlim_t>(highest.get()), before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none_left), 0);
  const auto doors = KeptDoors(directory_);
  const auto count = CountSurvivors(directory_, nullptr);
  const auto found = FindSurvivors(directory_, nullptr);
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_THAT(doors.status().message(), testing::HasSubstr("/doors: cannot be opened"));
  EXPECT_FALSE(count.ok());
  EXPECT_FALSE(found.ok());
  EXPECT_EQ(Find()[0].pid, worker);
}

TEST_F(SurvivorsTest, NoFolderOfDoorsIsNoDoor) {
  EXPECT_THAT(*KeptDoors(directory_ + "/none"), IsEmpty());
}

// It was entered, and its coordinator died before it had the number.
TEST_F(SurvivorsTest, RowWithoutAProcessIsCompletedByTheDoor) {
  const pid_t worker = Keeper(7);
  Enter(3, 1, 7, 0);
  const std::vector<Survivor> found = Find();
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].pid, worker);
  EXPECT_EQ(found[0].row, 3u);
}

TEST_F(SurvivorsTest, KernelsWordAboutADoorGoesBeforeTheRows) {
  const pid_t worker = Keeper(7);
  Enter(3, 1, 7, 1);
  const std::vector<Survivor> found = Find();
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].pid, worker);
}

TEST_F(SurvivorsTest, KeeperHoldsItsDoorAndNobodyElsesDoes) {
  const pid_t worker = Keeper(900'001);
  const pid_t other = Keeper(900'002);
  EXPECT_TRUE(HoldsDoor(worker, 900'001));
  EXPECT_FALSE(HoldsDoor(worker, 900'002));
  EXPECT_FALSE(HoldsDoor(other, 900'001));
  EXPECT_FALSE(HoldsDoor(0x7fffffff, 900'001));
}

TEST_F(SurvivorsTest, RowThatNamesProcessOneIsNotBelieved) {
  Enter(0, 0, 7, 1);
  EXPECT_THAT(Find(), IsEmpty());
  EXPECT_EQ(*CountSurvivors(directory_, &layout()), 0u);
}

TEST_F(SurvivorsTest, NumberThatSomebodyElseHasGotIsNotBelieved) {
  Enter(0, 0, 7, Play([] {}));
  row(0).process_start = row(0).process_start + 1;
  EXPECT_THAT(Find(), IsEmpty());
}

TEST_F(SurvivorsTest, WorkerWithoutADoorIsFoundByItsRow) {
  const pid_t worker = Play([] {});
  Enter(0, 0, 7, worker);
  std::vector<Survivor> found = Find();
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].pid, worker);
  EXPECT_FALSE(found[0].door);
  EXPECT_EQ(DismissAll(absl::MakeSpan(found), kPatience).killed, 0);
  EXPECT_EQ(EndedBy(worker), SIGTERM);
}

TEST_F(SurvivorsTest, RowsOfSlotsThatDoNotExistAreNotLookedAt) {
  Enter(0, 5000, 7, Play([] {}));
  Enter(1, 0xfffffff0, 8, Play([] {}));
  EXPECT_THAT(Find(), IsEmpty());
}

// A child that a worker has forked, without exec, has its door and outlives it.
TEST_F(SurvivorsTest, ForkedChildOfADeadWorkerIsNotTakenForIt) {
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  const Fd door = link::MakeDoor(DoorPath(directory_, 7)).value();
  const pid_t worker = Play([&] {
    link::KeepDoor(door);
    if (fork() == 0) {
      char byte;
      _exit(read(ends[0], &byte, 1) == 1 ? 0 : 1);  // until the test has ended
    }
  });
  Enter(0, 0, 7, worker);
  kill(worker, SIGKILL);
  waitpid(worker, nullptr, 0);
  std::vector<Survivor> found = Find();
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].pid, 0);
  EXPECT_EQ(DismissAll(absl::MakeSpan(found), absl::ZeroDuration()).unknown, 1);
  close(ends[1]);
}

TEST_F(SurvivorsTest, WhoSpeaksIsKnownByItsFirstWord) {
  // Never kept by the worker: as one of an older version.
  const Fd door = link::MakeDoor(DoorPath(directory_, 7)).value();
  const pid_t worker = fork();
  if (worker == 0) {
    std::optional<Fd> visitor;
    while (!visitor.has_value()) visitor = link::AnswerDoor(door);
    const link::Channel channel(*std::move(visitor));
    if (send(channel.fd(), "\xff\xff?", 3, 0) != 3) _exit(1);  // no message of ours
    for (;;) pause();
  }
  children_.push_back(worker);
  std::vector<Survivor> found = Find();
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].pid, 0);
  EXPECT_EQ(DismissAll(absl::MakeSpan(found), absl::ZeroDuration()).killed, 1);
  EXPECT_EQ(found[0].pid, worker);
  EXPECT_EQ(EndedBy(worker), SIGKILL);
}

TEST_F(SurvivorsTest, WhoDoesNotLeaveIsKilled) {
  const pid_t worker = Play([] { signal(SIGTERM, SIG_IGN); });
  Enter(0, 0, 7, worker);
  std::vector<Survivor> found = Find();
  EXPECT_EQ(DismissAll(absl::MakeSpan(found), absl::Milliseconds(50)).killed, 1);
  EXPECT_EQ(EndedBy(worker), SIGKILL);
}

}  // namespace
}  // namespace uc::coordinator
