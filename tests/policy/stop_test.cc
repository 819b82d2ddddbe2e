#include "tests/policy/cluster_story.h"

namespace uc::policy {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class StopTest : public ClusterStory {};

TEST_F(StopTest, EverybodyIsTakenOffThenDrainsThenTheClusterIsFinished) {
  Boot(2);
  const CommandId stop = Give("stop");
  EXPECT_THAT(Asked(),
              ElementsAre("live 0 off", "live 1 off", "drain 0/1 prompt", "drain 1/2 prompt"));
  Leaves({0, 1});
  EXPECT_EQ(Answer(stop), "");
  Leaves({1, 2});
  EXPECT_EQ(Answer(stop), "done: all workers have left");
  EXPECT_THAT(Asked(), ElementsAre("finish 0: all workers have left"));
}

TEST_F(StopTest, GracefulStopLetsIdleConnectionsSendOneMore) {
  Boot(1);
  Give("stop graceful");
  EXPECT_THAT(Asked(), ElementsAre("live 0 off", "drain 0/1 hand-over"));
}

TEST_F(StopTest, LateLeaversAreKilledAndCounted) {
  Boot(1);
  Give("stop");
  Pass(options_.kill_timeout);
  EXPECT_THAT(Asked(), ElementsAre("kill 0/1 late-exit"));
  Dies({0, 1}, "killed by SIGKILL");
  EXPECT_EQ(LastAnswer(), "done: all workers have left; 1 worker had to be killed after 10s");
  EXPECT_EQ(finish()->exit_code, 0);
}

TEST_F(StopTest, AtOnceKillsEverybody) {
  Boot(2);
  Give("stop now");
  EXPECT_THAT(Asked(),
              ElementsAre("live 0 off", "live 1 off", "kill 0/1 stop-now", "kill 1/2 stop-now"));
}

TEST_F(StopTest, StopsPressHarderButNeverGiveNewTime) {
  Boot(1);
  const CommandId first = Give("stop graceful");
  Pass(absl::Seconds(4));
  const CommandId second = Give("stop");
  EXPECT_THAT(Asked(), ElementsAre("drain 0/1 prompt"));
  EXPECT_EQ(supervisor_->NextDeadline(), now_ + absl::Seconds(6));
  Give("stop graceful");
  EXPECT_THAT(Asked(), IsEmpty());
  Give("stop now");
  EXPECT_THAT(Asked(), ElementsAre("kill 0/1 stop-now"));
  Dies({0, 1}, "killed by SIGKILL");
  EXPECT_THAT(Answer(first), HasSubstr("done"));
  EXPECT_THAT(Answer(second), HasSubstr("done"));
}

TEST_F(StopTest, OtherCommandsAreRefusedMeanwhile) {
  Boot(1);
  Give("stop");
  for (const char* command : {"ping", "scale 3", "reload", "restart", "reopen-logs"}) {
    Give(command);
    EXPECT_EQ(LastAnswer(), "refused: the cluster is stopping") << command;
  }
}

TEST_F(StopTest, PendingCommandsFail) {
  Boot(1);
  const CommandId scale = Give("scale 2");
  const CommandId reload = Give("reload");
  Give("stop");
  EXPECT_EQ(Answer(scale), "failed: the cluster is stopping");
  EXPECT_EQ(Answer(reload), "failed: the cluster is stopping");
}

TEST_F(StopTest, DeadWorkersAreNotReplacedAnyMore) {
  Boot(2);
  Give("stop");
  Dies({0, 1});
  EXPECT_THAT(Asked(), IsEmpty());
  EXPECT_THAT(Reported(), ElementsAre("slot 0, generation 1: killed by SIGSEGV while it drained"));
}

TEST_F(StopTest, ClusterWithoutWorkersStopsAtOnce) {
  Boot(1);
  Dies({0, 1});
  Dies(Incumbent(0));
  Give("stop");
  EXPECT_THAT(LastAnswer(), HasSubstr("done"));
  EXPECT_TRUE(finish().has_value());
}

TEST_F(StopTest, FloodOfStopsIsBoundedAndHeard) {
  Boot(1);
  for (size_t stop = 0; stop < kCommandsMax; ++stop) Give("stop");
  Give("stop now");
  EXPECT_THAT(LastAnswer(), HasSubstr("refused: too many stops"));
  EXPECT_THAT(Asked(), ElementsAre("kill 0/1 stop-now"));
}

}  // namespace
}  // namespace uc::policy
