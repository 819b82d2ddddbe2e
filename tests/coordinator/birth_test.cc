// Birth, cut where a coordinator could die: what there is at each step is enough for the next one to find.
#include "core/coordinator/birth.h"

#include <fcntl.h>

#include <utility>

#include "core/coordinator/spawner.h"
#include "gmock/gmock.h"
#include "tests/coordinator/former_stage.h"

namespace uc::coordinator {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class BirthTest : public FormerStage {
 protected:
  BirthTest() { options_.directory = directory_; }
  absl::StatusOr<Preparation> Prepare() {
    return Preparation::Prepare(options_, {.id = {2, 5}}, *board_);
  }
  // Waits at the end of the link that it was born with, and does not read.
  absl::StatusOr<Spawned> Spawn(const Preparation& prepared) {
    return SpawnWorker("/bin/sleep", {"sleep", "1000"}, prepared.link_fd());
  }
  // A coordinator that dies in the midst of it.
  void InAChild(absl::FunctionRef<void()> part) {
    const pid_t child = fork();
    if (child == 0) {
      part();
      _exit(0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
  }

  CoordinatorOptions options_;
};

TEST_F(BirthTest, RowAndDoorAreThereBeforeTheProcess) {
  const auto prepared = Prepare();
  ASSERT_TRUE(prepared.ok()) << prepared.status();
  EXPECT_THAT(*KeptDoors(directory_), ElementsAre(5));
  EXPECT_EQ(row(0).slot.load(), 2u);
  EXPECT_EQ(row(0).generation.load(), 5u);
  EXPECT_EQ(row(0).pid.load(), 0);
  EXPECT_EQ(row(0).state.load(), static_cast<uint32_t>(scoreboard::RowState::kStarting));
  EXPECT_EQ(layout().header.newest_generation.load(), 5u);
}

TEST_F(BirthTest, WhatComesToNothingLeavesNothing) {
  { const auto prepared = Prepare(); }
  EXPECT_EQ(row(0).state.load(), 0u);
  EXPECT_TRUE(std::filesystem::is_empty(directory_ + "/doors"));
}

TEST_F(BirthTest, FinishedOneHasItsProcessEntered) {
  auto prepared = Prepare();
  ASSERT_TRUE(prepared.ok());
  auto spawned = Spawn(*prepared);
  ASSERT_TRUE(spawned.ok()) << spawned.status();
  children_.push_back(spawned->pid);
  const WorkerProcess process = std::move(*prepared).Finish(*std::move(spawned));
  EXPECT_EQ(row(process.row).pid.load(), process.pid);
  EXPECT_EQ(row(process.row).process_start.load(), scoreboard::ProcessStart(process.pid));
}

TEST_F(BirthTest, CoordinatorThatDiesBeforeTheSpawnLeavesNobody) {
  InAChild([&] {
    auto prepared = Prepare();
    _exit(prepared.ok() ? 0 : 1);
  });
  EXPECT_THAT(*KeptDoors(directory_), IsEmpty());
  EXPECT_EQ(*CountSurvivors(directory_, &layout()), 0u);
}

TEST_F(BirthTest, CoordinatorThatDiesAfterTheSpawnLeavesSomebodyWhoIsFound) {
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  InAChild([&] {
    auto prepared = Prepare();
    auto spawned = Spawn(*prepared);
    const pid_t pid = spawned.ok() ? spawned->pid : 0;
    _exit(write(ends[1], &pid, sizeof(pid)) == sizeof(pid) && pid != 0 ? 0 : 1);
  });
  pid_t worker = 0;
  ASSERT_EQ(read(ends[0], &worker, sizeof(worker)), static_cast<ssize_t>(sizeof(worker)));
  EXPECT_EQ(row(0).pid.load(), 0);
  EXPECT_THAT(*KeptDoors(directory_), ElementsAre(5));
  EXPECT_EQ(*CountSurvivors(directory_, &layout()), 1u);
  kill(worker, SIGKILL);
}

TEST_F(BirthTest, WhereNoDoorCanBeMadeItIsBornAllTheSame) {
  rmdir((directory_ + "/doors").c_str());
  const auto prepared = Prepare();
  ASSERT_TRUE(prepared.ok()) << prepared.status();
  EXPECT_THAT(std::string(prepared->door_status().message()), HasSubstr("/doors/5"));
}

}  // namespace
}  // namespace uc::coordinator
