// The coordinator's own program is replaced; whoever comes after answers the command.
#include "tests/policy/cluster_story.h"

namespace uc::policy {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class UpgradeTest : public ClusterStory {};

TEST_F(UpgradeTest, IsAskedForAndStaysOpen) {
  Boot(2);
  const CommandId upgrade = Give("upgrade");
  EXPECT_THAT(Asked(), ElementsAre("upgrade 1"));
  EXPECT_TRUE(supervisor_->upgrading());
  Pass(absl::Hours(1));
  EXPECT_EQ(Answer(upgrade), "");
  EXPECT_THAT(Live(), ElementsAre(0, 1)) << "no worker notices";
}

TEST_F(UpgradeTest, FailureLeavesEverythingAsItWas) {
  Boot(1);
  const CommandId upgrade = Give("upgrade");
  UpgradeFails(upgrade, "exited with code 2: no such flag");
  EXPECT_EQ(Answer(upgrade),
            "failed: the coordinator goes on as it was: exited with code 2: no such flag");
  EXPECT_FALSE(supervisor_->upgrading());
  Give("upgrade");
  EXPECT_THAT(Asked(), ElementsAre("upgrade 2"));
}

TEST_F(UpgradeTest, IsRefusedWhileSomethingIsUnderWay) {
  Boot(2);
  for (const char* command : {"scale 3", "reload", "restart"}) {
    Give(command);
    Give("upgrade");
    EXPECT_EQ(LastAnswer(), "refused: another command is under way; wait for its end");
    EXPECT_FALSE(supervisor_->upgrading()) << command;
    Boot(2);
  }
}

TEST_F(UpgradeTest, CommandsAreRefusedMeanwhileButTheHarmlessOnes) {
  Boot(2);
  Give("upgrade");
  for (const char* command : {"scale 3", "reload", "restart", "upgrade"}) {
    Give(command);
    EXPECT_THAT(LastAnswer(), HasSubstr("refused: an upgrade of the coordinator is under way"));
    EXPECT_THAT(Asked(), IsEmpty()) << command;
  }
  Give("ping");
  EXPECT_THAT(LastAnswer(), HasSubstr("done: pong"));
  Give("reopen-logs");
  EXPECT_THAT(LastAnswer(), HasSubstr("done"));
}

TEST_F(UpgradeTest, DeadWorkersAreReplacedMeanwhile) {
  Boot(2);
  Give("upgrade");
  Dies({0, 1});
  EXPECT_THAT(Asked(), ElementsAre("live 0 off", "spawn 0/3"));
}

TEST_F(UpgradeTest, StopEndsItAndWhatItCameToIsIgnored) {
  Boot(1);
  const CommandId upgrade = Give("upgrade");
  Give("stop");
  EXPECT_EQ(Answer(upgrade), "failed: the cluster is stopping");
  EXPECT_FALSE(supervisor_->upgrading());
  UpgradeFails(upgrade);
  EXPECT_EQ(supervisor_->events_ignored(), 1u);
  Leaves({0, 1});
  EXPECT_EQ(finish()->exit_code, 0);
}

TEST_F(UpgradeTest, FailureOfAnotherUpgradeIsIgnored) {
  Boot(1);
  UpgradeFails(7);
  const CommandId upgrade = Give("upgrade");
  UpgradeFails(7);
  EXPECT_EQ(Answer(upgrade), "");
  EXPECT_EQ(supervisor_->events_ignored(), 2u);
}

TEST_F(UpgradeTest, IsRefusedWhileTheClusterStops) {
  Boot(1);
  Give("stop");
  Give("upgrade");
  EXPECT_EQ(LastAnswer(), "refused: the cluster is stopping");
}

}  // namespace
}  // namespace uc::policy
