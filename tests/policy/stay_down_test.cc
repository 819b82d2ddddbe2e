// Workers that are not restarted: their exit code says "done", or the operator wants no restarts.
#include "tests/policy/cluster_story.h"

namespace uc::policy {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class StayDownTest : public ClusterStory {
 protected:
  void SetUp() override { options_.restarts.stop_exit_codes = {0, 3}; }
  bool Stopped(SlotIndex slot) const { return At(slot).stopped_by.has_value(); }
};

TEST_F(StayDownTest, ExitCodeThatMeansDoneIsNoFailure) {
  BootKept(2);
  Exits({0, 1}, 3);
  EXPECT_THAT(Asked(), ElementsAre("live 0 off", "adopt 0 by 1/2"));
  EXPECT_THAT(Reported(),
              ElementsAre("slot 0, generation 1: exited with code 3; it stays down until "
                          "restart, reload or scale (--stop-exit-codes)"));
  EXPECT_TRUE(Stopped(0));
  EXPECT_EQ(At(0).restart_count, 0u);
  EXPECT_EQ(At(0).restarts.quick_deaths(), 0);
  Pass(absl::Hours(24));
  EXPECT_THAT(Asked(), IsEmpty());
}

TEST_F(StayDownTest, OtherCodesAndSignalsAreRestarted) {
  Boot(1);
  Exits({0, 1}, 1);
  EXPECT_THAT(Asked(), ElementsAre("live 0 off", "spawn 0/2"));
  Ready({0, 2});
  Pass(absl::Minutes(1));
  Dies({0, 2});
  EXPECT_THAT(Asked(), ElementsAre("live 0 off", "spawn 0/3"));
}

TEST_F(StayDownTest, CodeOfAKilledOneMeansNothing) {
  Boot(1);
  Observed({0, 1}, Health::kStuck);
  Exits({0, 1}, 0);
  EXPECT_THAT(Asked(), ElementsAre("spawn 0/2"));
}

TEST_F(StayDownTest, RestartReloadAndScaleWakeIt) {
  for (const char* command : {"restart", "restart 0", "reload", "scale 2", "scale 3"}) {
    Boot(2);
    Exits({0, 1}, 0);
    Give(command);
    EXPECT_THAT(Asked(), ::testing::Contains("spawn 0/3")) << command;
    EXPECT_FALSE(Stopped(0));
  }
}

TEST_F(StayDownTest, CommandsDoNotWaitForWhatHasEnded) {
  Boot(2);
  const CommandId restart = Give("restart 0");
  Leaves({0, 1});
  Exits({0, 3}, 0);  // before it was READY
  EXPECT_EQ(Answer(restart), "done: restarted 1 slot; 1 of 2 workers serving");
  const CommandId scale = Give("scale 3");
  Ready({2, 5});
  Exits({0, 4}, 3);
  EXPECT_EQ(Answer(scale), "done: 2 of 3 workers serving");
}

TEST_F(StayDownTest, RollGivesEachOneTurn) {
  Boot(2);
  Exits({0, 1}, 0);
  const CommandId reload = Give("reload");
  Exits({0, 3}, 0);
  EXPECT_THAT(Asked(), ElementsAre("spawn 1/4 on-admission"));
  Ready({1, 4});
  Leaves({1, 2});
  EXPECT_THAT(Answer(reload), HasSubstr("done"));
  EXPECT_TRUE(Stopped(0));
}

TEST_F(StayDownTest, SuccessorThatIsDoneAtOnceIsNoSuccessor) {
  Boot(1);
  const CommandId reload = Give("reload");
  Exits({0, 2}, 0);
  EXPECT_THAT(Answer(reload), HasSubstr("failed: roll aborted at slot 0"));
  EXPECT_TRUE(Serving(0));
}

TEST_F(StayDownTest, SlotThatWasToBeRetiredDoesNotServeInItsSteadForEver) {
  Boot(2);
  Dies({0, 1});
  const CommandId scale = Give("scale 1");
  EXPECT_TRUE(Serving(1));  // nobody else does
  Exits({0, 3}, 0);
  EXPECT_THAT(Asked(), ElementsAre("live 1 off", "drain 1/2 hand-over"));
  Leaves({1, 2});
  EXPECT_EQ(Answer(scale), "done: 0 of 1 worker serving");
}

TEST_F(StayDownTest, ClusterWhoseWorkersAreAllDoneBeforeTheyServeEndsWell) {
  Start(2);
  Exits({0, 1}, 0);
  EXPECT_FALSE(finish().has_value());
  Exits({1, 2}, 0);
  ASSERT_TRUE(finish().has_value());
  EXPECT_EQ(finish()->exit_code, 0);
  EXPECT_FALSE(finish()->asked);
  EXPECT_THAT(finish()->text, HasSubstr("an exit code of --stop-exit-codes before it was ready"));
}

TEST_F(StayDownTest, ClusterWhoseWorkersAreAllDoneWaitsForOrders) {
  BootKept(1);
  Exits({0, 1}, 0);
  EXPECT_THAT(Asked(), ElementsAre("live 0 off", "evacuate 0"));  // clients are refused
  EXPECT_FALSE(finish().has_value());
  Give("restart");
  EXPECT_THAT(Asked(), ElementsAre("spawn 0/2"));
  Give("stop");
  Dies({0, 2});
  ASSERT_TRUE(finish().has_value());
  EXPECT_TRUE(finish()->asked);
}

TEST_F(StayDownTest, NewCoordinatorLeavesThemDown) {
  legacy_ = {2, 2, {{{0, 1}}}, {}, {}, {1}};
  Resume();
  EXPECT_THAT(Asked(), ElementsAre("live 1 off", "live 0 on"));
  EXPECT_TRUE(Stopped(1));
}

TEST_F(StayDownTest, WhoServesInItsSteadLeavesWhenARollFindsItsEnd) {
  Boot(2);
  Dies({0, 1});
  Give("scale 1");
  ASSERT_THAT(Live(), ElementsAre(1)) << "though its slot is not wanted any more";
  const CommandId reload = Give("reload");
  Exits({0, 3}, 0);
  ASSERT_THAT(Asked(), ElementsAre("spawn 0/4"));
  Exits({0, 4}, 0);
  EXPECT_EQ(Answer(reload), "done: rolled 0 slots");
  Pass(options_.retire_grace);
  Leaves({1, 2});
  EXPECT_EQ(supervisor_->slots().size(), 1u);
  EXPECT_THAT(Live(), IsEmpty());
}

// --- No restarts ---

TEST_F(StayDownTest, WithoutAutorestartACrashIsTheEndOfIt) {
  options_.restarts = {};
  options_.restarts.autorestart = false;
  Boot(2);
  Dies({0, 1});
  EXPECT_THAT(Asked(), ElementsAre("live 0 off"));
  EXPECT_THAT(Reported(), ElementsAre(HasSubstr("it stays down until restart, reload or scale "
                                                "(--no-autorestart)")));
  Pass(absl::Hours(24));
  EXPECT_THAT(Asked(), IsEmpty());
  Give("restart 0");
  EXPECT_THAT(Asked(), ElementsAre("spawn 0/3"));
  Dies({0, 3});
  EXPECT_THAT(LastAnswer(), HasSubstr("failed: slot 0 failed to start"));
  Pass(absl::Hours(24));
  EXPECT_TRUE(Stopped(0));
}

}  // namespace
}  // namespace uc::policy
