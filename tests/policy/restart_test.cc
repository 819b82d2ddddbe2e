#include "tests/policy/cluster_story.h"

namespace uc::policy {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class RestartTest : public ClusterStory {};

TEST_F(RestartTest, WorkersLeaveAndAreReplacedAtTheirExit) {
  Boot(2);
  const CommandId restart = Give("restart");
  EXPECT_THAT(Asked(),
              ElementsAre("live 0 off", "drain 0/1 prompt", "live 1 off", "drain 1/2 prompt"));
  Leaves({0, 1});
  EXPECT_THAT(Asked(), ElementsAre("spawn 0/3"));
  Leaves({1, 2});
  Ready({0, 3});
  EXPECT_EQ(Answer(restart), "");
  Ready({1, 4});
  EXPECT_EQ(Answer(restart), "done: restarted 2 slots; 2 of 2 workers serving");
  EXPECT_EQ(At(0).restart_count, 0u) << "it was asked for";
}

TEST_F(RestartTest, OneSlotLeavesTheOthersAlone) {
  Boot(3);
  Give("restart 1");
  EXPECT_THAT(Asked(), ElementsAre("live 1 off", "drain 1/2 prompt to 0/1 2/3"));
  EXPECT_THAT(Live(), ElementsAre(0, 2));
}

TEST_F(RestartTest, SlotThatDoesNotExistIsRefusedWithTheRange) {
  Boot(3);
  Give("restart 3");
  EXPECT_EQ(LastAnswer(), "refused: no such slot; there are slots 0 to 2");
  Give("scale 1");
  Give("restart 1");
  EXPECT_EQ(LastAnswer(), "refused: no such slot; there is only slot 0");
}

TEST_F(RestartTest, WorkerThatDoesNotLeaveIsKilledAndIsNoCrash) {
  Boot(1);
  Give("restart");
  Pass(options_.kill_timeout);
  EXPECT_THAT(Asked(), ElementsAre("kill 0/1 late-exit"));
  Dies({0, 1}, "killed by SIGKILL");
  EXPECT_THAT(Asked(), ElementsAre("spawn 0/2"));
  EXPECT_EQ(At(0).restart_count, 0u);
}

TEST_F(RestartTest, ReplacementThatFailsFailsTheCommandAndIsTriedAgain) {
  Boot(2);
  const CommandId restart = Give("restart 0");
  Leaves({0, 1});
  Refuses({0, 3}, "no such app");
  EXPECT_THAT(Answer(restart), HasSubstr("failed: slot 0 failed to start: no such app"));
  Dies({0, 3});
  EXPECT_THAT(Asked(), ElementsAre("spawn 0/4"));
}

TEST_F(RestartTest, SlotInBackOffIsTriedAtOnce) {
  Boot(2);
  Dies({0, 1});
  Dies(Incumbent(0));
  Give("restart 0");
  EXPECT_THAT(Asked(), ElementsAre("spawn 0/4"));
  Ready({0, 4});
  EXPECT_THAT(LastAnswer(), HasSubstr("done"));
}

TEST_F(RestartTest, StartingWorkerIsReplacedToo) {
  Boot(2);
  Dies({0, 1});
  Give("restart 0");
  EXPECT_THAT(Asked(), ElementsAre("kill 0/3 aborted"));
  Dies({0, 3}, "killed by SIGKILL");
  EXPECT_THAT(Asked(), ElementsAre("spawn 0/4"));
}

TEST_F(RestartTest, StuckWorkerThatIsRestartedComesBackAtOnce) {
  Boot(1);
  Observed({0, 1}, Health::kStuck);
  Give("restart");
  Dies({0, 1}, "killed by SIGKILL");
  EXPECT_THAT(Asked(), ElementsAre("spawn 0/2"));
}

TEST_F(RestartTest, SecondRestartWaitsForTheSameReplacement) {
  Boot(1);
  const CommandId first = Give("restart");
  const CommandId second = Give("restart");
  EXPECT_THAT(Asked(), IsEmpty());
  Leaves({0, 1});
  Ready({0, 2});
  EXPECT_THAT(Answer(first), HasSubstr("done"));
  EXPECT_THAT(Answer(second), HasSubstr("done"));
}

TEST_F(RestartTest, IsRefusedDuringARoll) {
  Boot(1);
  Give("reload");
  Give("restart");
  EXPECT_THAT(LastAnswer(), HasSubstr("refused: a roll is under way"));
}

TEST_F(RestartTest, ReloadWaitsForTheRestartAndNoOtherRestartOvertakesIt) {
  Boot(1);
  const CommandId restart = Give("restart");
  const CommandId reload = Give("reload");
  Give("restart");
  EXPECT_THAT(LastAnswer(), HasSubstr("refused"));
  Leaves({0, 1});
  Ready({0, 2});
  EXPECT_THAT(Answer(restart), HasSubstr("done"));
  EXPECT_THAT(Asked(), ElementsAre("live 0 on", "spawn 0/3 on-admission"));
  Ready({0, 3});
  Leaves({0, 2});
  EXPECT_THAT(Answer(reload), HasSubstr("done"));
}

TEST_F(RestartTest, RetiredSlotsLeaveTheRestart) {
  Boot(2);
  const CommandId restart = Give("restart");
  Give("scale 1");
  Leaves({0, 1});
  Ready(Incumbent(0));
  EXPECT_THAT(Answer(restart), HasSubstr("done"));
}

}  // namespace
}  // namespace uc::policy
