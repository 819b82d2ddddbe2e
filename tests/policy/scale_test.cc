#include "tests/policy/cluster_story.h"

namespace uc::policy {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class ScaleTest : public ClusterStory {};

TEST_F(ScaleTest, UpIsDoneWhenTheNewSlotsServe) {
  Boot(2);
  const CommandId scale = Give("scale +2");
  EXPECT_THAT(Asked(), ElementsAre("spawn 2/3", "spawn 3/4"));
  Ready({3, 4});
  EXPECT_EQ(Answer(scale), "");
  Ready({2, 3});
  EXPECT_EQ(Answer(scale), "done: 4 of 4 workers serving");
  EXPECT_THAT(Live(), ElementsAre(0, 1, 2, 3));
}

TEST_F(ScaleTest, DownRetiresTheHighestAndIsDoneWhenTheyHaveLeft) {
  Boot(4);
  const CommandId scale = Give("scale 2");
  EXPECT_THAT(Asked(), ElementsAre("live 3 off", "drain 3/4 hand-over to 0/1 1/2", "live 2 off",
                                   "drain 2/3 hand-over to 0/1 1/2"));
  Leaves({3, 4});
  EXPECT_THAT(Told(), ElementsAre("slot 3: generation 4 has left"));
  EXPECT_EQ(Answer(scale), "");
  Leaves({2, 3});
  EXPECT_EQ(Answer(scale), "done: 2 of 2 workers serving");
  EXPECT_EQ(supervisor_->slots().size(), 2u);
}

TEST_F(ScaleTest, RetiredWorkerThatDoesNotLeaveIsKilled) {
  Boot(2);
  Give("scale -1");
  Pass(options_.kill_timeout);
  EXPECT_THAT(Asked(), ElementsAre("kill 1/2 late-exit"));
  Dies({1, 2}, "killed by SIGKILL");
  EXPECT_THAT(LastAnswer(), HasSubstr("done"));
}

TEST_F(ScaleTest, PresentCountIsDoneAtOnce) {
  Boot(2);
  Give("scale 2");
  EXPECT_EQ(LastAnswer(), "done: 2 of 2 workers serving");
  Give("scale +0");
  EXPECT_THAT(LastAnswer(), HasSubstr("done"));
}

TEST_F(ScaleTest, NobodyScalesToNothing) {
  Boot(2);
  Give("scale 0");
  EXPECT_EQ(LastAnswer(), "refused: at least 1 must stay; to end the cluster use stop");
  Give("scale -2");
  EXPECT_EQ(LastAnswer(),
            "refused: at least 1 of the 2 workers must stay; to end the "
            "cluster use stop");
  EXPECT_EQ(supervisor_->workers_wanted(), 2u);
}

TEST_F(ScaleTest, NobodyScalesBeyondTheLimit) {
  Boot(2);
  Give("scale 1025");
  EXPECT_EQ(LastAnswer(), "refused: this cluster has at most 1024 workers");
  Give("scale +1023");
  EXPECT_THAT(LastAnswer(), HasSubstr("refused"));
  EXPECT_THAT(Asked(), IsEmpty());
}

TEST_F(ScaleTest, NobodyScalesBeyondWhatTheModeCanSteer) {
  options_.workers_max = 64;
  Boot(2);
  Give("scale 65");
  EXPECT_EQ(LastAnswer(), "refused: this cluster has at most 64 workers in its mode");
  Give("scale 64");
  EXPECT_EQ(LastAnswer(), "");
}

TEST_F(ScaleTest, NewSlotThatFailsFailsTheCommandAndIsTriedAgain) {
  Boot(1);
  const CommandId scale = Give("scale 3");
  Dies({2, 3}, "exited with code 3");
  EXPECT_EQ(Answer(scale),
            "failed: slot 2 failed to start: worker exited with code 3 before it was ready; the "
            "cluster goes on trying with back-off");
  EXPECT_EQ(supervisor_->workers_wanted(), 3u);
  Ready(Incumbent(2));
  EXPECT_THAT(Live(), ElementsAre(0, 2));
}

TEST_F(ScaleTest, LaterScaleSupersedesAPendingOne) {
  Boot(1);
  const CommandId first = Give("scale 2");
  const CommandId second = Give("scale 3");
  EXPECT_EQ(Answer(first), "failed: superseded by scale 3");
  Ready({2, 3});
  EXPECT_EQ(Answer(second), "") << "slot 1 is still starting";
  Ready({1, 2});
  EXPECT_THAT(Answer(second), HasSubstr("done: 3 of 3"));
}

TEST_F(ScaleTest, RefusedScaleSupersedesNothing) {
  Boot(1);
  const CommandId first = Give("scale 2");
  Give("scale 0");
  Ready({1, 2});
  EXPECT_THAT(Answer(first), HasSubstr("done"));
}

TEST_F(ScaleTest, SlotThatWasStillStartingIsAbortedOnTheWayDown) {
  Boot(1);
  Give("scale 2");
  Give("scale 1");
  EXPECT_THAT(Asked(), ElementsAre("kill 1/2 aborted"));
  Dies({1, 2}, "killed by SIGKILL");
  EXPECT_THAT(LastAnswer(), HasSubstr("done"));
}

TEST_F(ScaleTest, SlotInBackOffSimplyGoes) {
  Boot(2);
  Dies({1, 2});
  Dies(Incumbent(1));
  Give("scale 1");
  EXPECT_THAT(Asked(), IsEmpty());
  EXPECT_THAT(LastAnswer(), HasSubstr("done"));
  Pass(absl::Minutes(1));
  EXPECT_THAT(Asked(), IsEmpty());
}

TEST_F(ScaleTest, SlotWantedAgainIsServedBesideItsDrainingWorker) {
  Boot(2);
  Give("scale 1");
  const CommandId up = Give("scale 2");
  EXPECT_THAT(Asked(), ElementsAre("spawn 1/3"));
  Ready({1, 3});
  EXPECT_THAT(Asked(), ElementsAre("live 1 on"));
  EXPECT_THAT(Answer(up), HasSubstr("done"));
  Leaves({1, 2});
  EXPECT_THAT(Asked(), IsEmpty());
  EXPECT_EQ(Incumbent(1), (WorkerId{1, 3}));
}

TEST_F(ScaleTest, ThereAreNeverThreeInASlot) {
  Boot(2);
  Give("scale 1");
  Give("scale 2");
  Ready({1, 3});
  Give("scale 1");  // two drain now
  Give("scale 2");
  EXPECT_THAT(Asked(), IsEmpty());
  Leaves({1, 3});
  EXPECT_THAT(Asked(), ElementsAre("spawn 1/4"));
}

TEST_F(ScaleTest, LastLiveSlotServesOnUntilAWantedOneDoes) {
  Boot(3);
  Dies({0, 1});
  const CommandId scale = Give("scale 1");
  EXPECT_THAT(Asked(), ElementsAre("live 2 off", "drain 2/3 hand-over to 1/2"));
  Leaves({2, 3});
  EXPECT_THAT(Live(), ElementsAre(1));
  EXPECT_EQ(Answer(scale), "");
  Ready(Incumbent(0));
  EXPECT_THAT(Asked(), ElementsAre("live 0 on", "live 1 off", "drain 1/2 hand-over to 0/4"));
  Leaves({1, 2});
  EXPECT_THAT(Answer(scale), HasSubstr("done: 1 of 1"));
}

TEST_F(ScaleTest, ScaleThatWaitsForABadSlotFailsWithIt) {
  Boot(2);
  Dies({0, 1});
  const CommandId scale = Give("scale 1");
  Dies(Incumbent(0));
  EXPECT_THAT(Answer(scale), HasSubstr("a slot to be retired serves until then"));
  EXPECT_THAT(Live(), ElementsAre(1));
}

TEST_F(ScaleTest, RetiringWorkerThatDiesIsNotReplaced) {
  Boot(2);
  Give("scale 1");
  Dies({1, 2});
  EXPECT_THAT(Asked(), IsEmpty());
  EXPECT_THAT(Reported(), ElementsAre("slot 1, generation 2: killed by SIGSEGV while it drained"));
  EXPECT_THAT(LastAnswer(), HasSubstr("done"));
}

TEST_F(ScaleTest, CommandsThatWaitAreBoundedButStopGetsThrough) {
  Boot(2);
  for (size_t reload = 0; reload < kCommandsMax; ++reload) Give("reload");
  Give("ping");
  EXPECT_EQ(LastAnswer(), "refused: 256 commands wait already; try again later");
  const CommandId stop = Give("stop");
  Leaves({0, 1});
  Leaves({1, 2});
  EXPECT_EQ(Answer(stop), "") << "the successor has to go, too";
  Dies({0, 3}, "killed by SIGKILL");
  EXPECT_THAT(Answer(stop), HasSubstr("done"));
}

TEST_F(ScaleTest, PingAndReopenAreAnsweredAtOnce) {
  Boot(2);
  Give("ping");
  EXPECT_EQ(LastAnswer(), "done: pong: 2 of 2 workers serving");
  Give("reopen-logs");
  EXPECT_THAT(Asked(), ElementsAre("reopen"));
  EXPECT_THAT(LastAnswer(), HasSubstr("done"));
}

}  // namespace
}  // namespace uc::policy
