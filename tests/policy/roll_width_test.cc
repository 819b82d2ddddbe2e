// A roll that renews several slots at one time.
#include "tests/policy/cluster_story.h"

namespace uc::policy {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

class RollWidthTest : public ClusterStory {
 protected:
  void SetUp() override { options_.roll_width = 2; }
};

TEST_F(RollWidthTest, TwoSlotsAreRenewedAtOneTime) {
  Boot(3);
  const CommandId reload = Give("reload");
  EXPECT_THAT(Asked(), ElementsAre("spawn 0/4 on-admission", "spawn 1/5 on-admission"));
  Ready({1, 5});
  Leaves({1, 2});
  EXPECT_THAT(Asked(), ElementsAre("spawn 2/6 on-admission"));
  EXPECT_THAT(Told(), ElementsAre("slot 1: done 1/3"));
  Ready({2, 6});
  Leaves({2, 3});
  EXPECT_THAT(Asked(), IsEmpty()) << "slot 0 still has its turn";
  Ready({0, 4});
  Leaves({0, 1});
  EXPECT_EQ(Answer(reload), "done: rolled 3 slots");
}

TEST_F(RollWidthTest, SlotIsOverOnlyWhenItsOldWorkerHasLeft) {
  Boot(3);
  Give("reload");
  Ready({0, 4});
  Ready({1, 5});
  EXPECT_THAT(Asked(), ElementsAre("admit 1/5", "drain 1/2 hand-over to 1/5")) << "no third one";
}

TEST_F(RollWidthTest, WidthBeyondTheSlotsIsAllOfThem) {
  options_.roll_width = 50;
  Boot(2);
  Give("reload");
  EXPECT_THAT(Asked(), ElementsAre("spawn 0/3 on-admission", "spawn 1/4 on-admission"));
}

TEST_F(RollWidthTest, WidthIsBoundedByHowManyMayStart) {
  options_.starting_max = 1;
  Boot(2);
  Give("reload");
  EXPECT_THAT(Asked(), ElementsAre("spawn 0/3 on-admission"));
  Ready({0, 3});
  EXPECT_THAT(Asked(), ElementsAre("admit 0/3", "drain 0/1 hand-over to 0/3",
                                   "spawn 1/4 "
                                   "on-admission"));
}

TEST_F(RollWidthTest, AbortKillsTheOthersThatDoNotServeYet) {
  Boot(3);
  const CommandId reload = Give("reload");
  Refuses({0, 4}, "no such app");
  EXPECT_THAT(Asked(), UnorderedElementsAre("kill 0/4 aborted", "kill 1/5 aborted"));
  EXPECT_THAT(Answer(reload), HasSubstr("failed: roll aborted at slot 0: no such app; 0 of 3"));
  Dies({1, 5}, "killed by SIGKILL");
  Dies({0, 4}, "exited with code 2");
  EXPECT_THAT(Asked(), IsEmpty());
  EXPECT_THAT(Live(), ElementsAre(0, 1, 2));
}

TEST_F(RollWidthTest, AbortDrainsTheOthersThatServeAlready) {
  options_.soak = absl::Seconds(3);
  Boot(3);
  Give("reload");
  Ready({1, 5});
  Dies({0, 4}, "killed by SIGSEGV");
  EXPECT_THAT(Asked(), ElementsAre("drain 1/5 hand-over to 1/2"));
  EXPECT_THAT(LastAnswer(), HasSubstr("; 0 of 3 slots already run the new generation"));
  Pass(absl::Seconds(3));
  EXPECT_THAT(Asked(), IsEmpty()) << "it is not promoted any more";
  Leaves({1, 5});
  EXPECT_THAT(Asked(), IsEmpty());
  EXPECT_EQ(Incumbent(1), (WorkerId{1, 2}));
}

TEST_F(RollWidthTest, AbortCountsThoseThatHaveTakenOver) {
  Boot(3);
  Give("reload");
  Ready({1, 5});
  Dies({0, 4}, "killed by SIGSEGV");
  EXPECT_THAT(LastAnswer(), HasSubstr("; 1 of 3 slots already run the new generation"));
  EXPECT_EQ(Incumbent(1), (WorkerId{1, 5}));
}

TEST_F(RollWidthTest, AbortLeavesTheOnlyHopeOfASlotAlone) {
  Boot(3);
  Give("reload");
  Dies({1, 2});
  Dies({0, 4}, "killed by SIGSEGV");
  EXPECT_THAT(LastAnswer(), HasSubstr("failed: roll aborted at slot 0"));
  EXPECT_THAT(Asked(), IsEmpty());
  Ready({1, 5});
  EXPECT_THAT(Asked(), ElementsAre("admit 1/5", "live 1 on"));
}

TEST_F(RollWidthTest, OnlyHopeThatSurvivedAnAbortIsRestartedByARestart) {
  Boot(3);
  Give("reload");
  Dies({1, 2});
  Dies({0, 4}, "killed by SIGSEGV");
  const CommandId restart = Give("restart 1");
  EXPECT_THAT(Asked(), ElementsAre("kill 1/5 aborted", "spawn 1/6"));
  Dies({1, 5}, "killed by SIGKILL");
  Ready({1, 6});
  EXPECT_THAT(Answer(restart), HasSubstr("done: restarted 1 slot"));
  EXPECT_EQ(At(1).restart_count, 1u) << "the crash of the incumbent";
}

TEST_F(RollWidthTest, DismissedSuccessorDoesNotShortenTheBackOffOfItsSlot) {
  options_.soak = absl::Seconds(3);
  Boot(2);
  Pass(absl::Seconds(10));
  Dies({1, 2});
  Dies({1, 3});
  Ready({1, 4});
  Give("reload");
  Ready({1, 6});
  Dies({0, 5}, "killed by SIGSEGV");
  ASSERT_THAT(Asked(), ElementsAre("drain 1/6 hand-over to 1/4"));
  Dies({1, 4});
  EXPECT_THAT(Reported(), ElementsAre(HasSubstr("next try in 100ms (2 quick deaths)")));
  Leaves({1, 6});
  EXPECT_THAT(Asked(), IsEmpty());
  Pass(absl::Milliseconds(100));
  EXPECT_THAT(Asked(), ElementsAre("spawn 1/7"));
}

TEST_F(RollWidthTest, SlotWantedAgainWithinItsGraceComesBackToTheRoll) {
  options_.retire_grace = absl::Seconds(1);
  options_.roll_width = 1;
  Boot(2);
  const CommandId reload = Give("reload");
  Give("scale 1");
  Give("scale 2");
  Ready({0, 3});
  Leaves({0, 1});
  EXPECT_THAT(Asked(), ElementsAre("spawn 1/4 on-admission")) << "it runs the old build";
  Ready({1, 4});
  Leaves({1, 2});
  EXPECT_EQ(Answer(reload), "done: rolled 2 slots");
}

}  // namespace
}  // namespace uc::policy
