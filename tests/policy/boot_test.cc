// How a cluster begins, and the one time it may give up.
#include "tests/policy/cluster_story.h"

namespace uc::policy {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class BootTest : public ClusterStory {};

TEST_F(BootTest, EveryWorkerIsSpawnedAndGoesLiveWhenReady) {
  Start(2);
  EXPECT_THAT(Asked(), ElementsAre("spawn 0/1", "spawn 1/2"));
  Ready({1, 2});
  EXPECT_THAT(Asked(), ElementsAre("live 1 on"));
  Ready({0, 1});
  EXPECT_THAT(Live(), ElementsAre(0, 1));
}

TEST_F(BootTest, OnlySoManyStartAtOneTime) {
  options_.starting_max = 2;
  Start(4);
  EXPECT_THAT(Asked(), ElementsAre("spawn 0/1", "spawn 1/2"));
  Ready({1, 2});
  EXPECT_THAT(Asked(), ElementsAre("live 1 on", "spawn 2/3"));
}

TEST_F(BootTest, OperatorsFaultEndsTheFirstBootWithItsReason) {
  Start(3);
  const CommandId ping_later = Give("reload");
  Refuses({1, 2}, "127.0.0.1:80 is a privileged port", Fault::kOperator);
  EXPECT_THAT(Asked(), ElementsAre("kill 0/1 aborted", "kill 1/2 aborted", "kill 2/3 aborted"));
  EXPECT_EQ(Answer(ping_later),
            "failed: the cluster could not start: 127.0.0.1:80 is a privileged port");
  Dies({0, 1});
  Dies({1, 2});
  EXPECT_FALSE(finish().has_value());
  Dies({2, 3});
  EXPECT_THAT(Asked(), ElementsAre("finish 2: 127.0.0.1:80 is a privileged port"));
}

TEST_F(BootTest, FirstOfManyReasonsIsTheOneThatIsTold) {
  Start(2);
  Refuses({0, 1}, "first", Fault::kWorld);
  Refuses({1, 2}, "second", Fault::kOperator);
  Dies({0, 1});
  Dies({1, 2});
  EXPECT_THAT(Asked(), ElementsAre("finish 1: first"));
}

TEST_F(BootTest, AppThatCrashesInItsStartIsTheOperatorsFault) {
  Start(1);
  Dies({0, 1}, "killed by SIGSEGV");
  EXPECT_THAT(Asked(), ElementsAre("finish 2: worker killed by SIGSEGV before it was ready"));
}

TEST_F(BootTest, LateFirstWorkerEndsTheBoot) {
  Start(1);
  Pass(options_.listen_timeout);
  EXPECT_THAT(Asked(), ElementsAre("kill 0/1 late-ready"));
  Dies({0, 1}, "killed by SIGKILL");
  EXPECT_THAT(Asked(), ElementsAre("finish 1: not ready within 10s "
                                   "(does the app's start return? else raise --listen-timeout)"));
}

TEST_F(BootTest, FailedSpawnEndsTheBoot) {
  Start(1);
  CannotSpawn({0, 1}, "no more processes");
  EXPECT_THAT(Asked(), ElementsAre("finish 1: no more processes"));
  EXPECT_TRUE(supervisor_->stopping());
}

TEST_F(BootTest, NothingIsAskedForAfterTheEnd) {
  Start(1);
  CannotSpawn({0, 1}, "no more processes");
  Ready({0, 1});
  EXPECT_THAT(Asked(), IsEmpty());
  Pass(absl::Hours(1));
  EXPECT_THAT(Asked(), IsEmpty());
}

TEST_F(BootTest, OnceAWorkerWasReadyThereIsNoGivingUp) {
  Start(2);
  Ready({0, 1});
  Refuses({1, 2}, "no such app", Fault::kOperator);
  Dies({1, 2});
  EXPECT_THAT(Asked(), ElementsAre("spawn 1/3"));
  Dies({0, 1});
  EXPECT_FALSE(supervisor_->stopping());
}

TEST_F(BootTest, WorkerKilledByACommandIsNoFailedBoot) {
  Start(2);
  Give("restart 0");
  Dies({0, 1}, "killed by SIGKILL");
  EXPECT_THAT(Asked(), ElementsAre("spawn 0/3"));
  Give("scale 1");
  Dies({1, 2}, "killed by SIGKILL");
  EXPECT_FALSE(supervisor_->stopping());
}

TEST_F(BootTest, StopDuringGivingUpIsAnsweredAtTheEnd) {
  Start(2);
  Refuses({0, 1}, "no such app", Fault::kOperator);
  const CommandId stop = Give("stop");
  EXPECT_EQ(Answer(stop), "");
  Dies({0, 1});
  Dies({1, 2});
  EXPECT_THAT(Answer(stop), HasSubstr("done"));
  EXPECT_EQ(finish()->exit_code, 2);
}

TEST_F(BootTest, ReasonFromAWorkerIsOneShortLine) {
  Start(1);
  Refuses({0, 1}, "a\nb\x1b" + std::string(1000, 'x'), Fault::kOperator);
  Dies({0, 1});
  EXPECT_EQ(finish()->text, "a b " + std::string(296, 'x'));
}

}  // namespace
}  // namespace uc::policy
