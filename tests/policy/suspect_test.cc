// A worker that is silent while work waits for it is steered round, and nothing else happens to it.
#include "tests/policy/cluster_story.h"

namespace uc::policy {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class SuspectTest : public ClusterStory {};

TEST_F(SuspectTest, IsSteeredRoundAndItsQueueIsServedByAnother) {
  BootKept(2);
  Observed({0, 1}, Health::kSuspect);
  EXPECT_THAT(Asked(), ElementsAre("live 0 off", "adopt 0 by 1/2"));
  EXPECT_THAT(Reported(), ElementsAre("slot 0, generation 1: silent while work waits for it; "
                                      "others take its new connections meanwhile"));
  Observed({0, 1}, Health::kSuspect);
  EXPECT_THAT(Asked(), IsEmpty());
}

TEST_F(SuspectTest, IsTrustedAgainWhenItAnswers) {
  BootKept(2);
  Observed({0, 1}, Health::kSuspect);
  Observed({0, 1}, Health::kWell);
  EXPECT_THAT(Asked(), ElementsAre("live 0 on", "release 0 by 1/2"));
  EXPECT_THAT(Reported(), ElementsAre("slot 0, generation 1: answers again"));
  EXPECT_EQ(At(0).restart_count, 0u);
}

TEST_F(SuspectTest, AllSuspectsStayLiveSinceNobodyIsBetter) {
  BootKept(2);
  Observed({0, 1}, Health::kSuspect);
  Observed({1, 2}, Health::kSuspect);
  EXPECT_THAT(Live(), ElementsAre(0, 1));
  EXPECT_THAT(StandIns(), ElementsAre("0 by 1/2")) << "nobody is better than the one who has it";
  Observed({1, 2}, Health::kWell);
  EXPECT_THAT(Asked(), ElementsAre("live 0 off"));
  EXPECT_THAT(Live(), ElementsAre(1));
}

TEST_F(SuspectTest, SomebodyComesUpBeforeTheSuspectsGoDown) {
  BootKept(1);
  Observed({0, 1}, Health::kSuspect);
  EXPECT_THAT(Asked(), IsEmpty()) << "the only one";
  Give("scale 2");
  Kept(1);
  Ready({1, 2});
  EXPECT_THAT(Asked(), ElementsAre("live 1 on", "live 0 off", "adopt 0 by 1/2"));
}

TEST_F(SuspectTest, SuspectThatIsStuckAfterAllIsKilledAndItsStandInGoesOn) {
  BootKept(2);
  Pass(absl::Minutes(1));
  Observed({0, 1}, Health::kSuspect);
  Observed({0, 1}, Health::kStuck);
  EXPECT_THAT(Asked(), ElementsAre("kill 0/1 stuck"));
  Dies({0, 1}, "killed by SIGKILL");
  EXPECT_THAT(Asked(), ElementsAre("spawn 0/3"));
  Ready({0, 3});
  EXPECT_THAT(Asked(), ElementsAre("live 0 on", "release 0 by 1/2"));
}

TEST_F(SuspectTest, FlappingIsSaidOnceAMinute) {
  Boot(2);
  size_t said = 0;
  for (int turn = 0; turn < 60; ++turn) {
    Observed({0, 1}, Health::kSuspect);
    said += Reported().size();
    Observed({0, 1}, Health::kWell);
    said += Reported().size();
    Pass(absl::Seconds(1));
  }
  EXPECT_EQ(said, 2u) << "silent, answers again";
}

TEST_F(SuspectTest, SuspectIncumbentIsRolledLikeAnyOther) {
  BootKept(2);
  Observed({0, 1}, Health::kSuspect);
  Give("reload");
  EXPECT_THAT(Asked(), ElementsAre("spawn 0/3 on-admission"));
  Ready({0, 3});
  EXPECT_THAT(Asked(), ElementsAre("admit 0/3", "live 0 on", "drain 0/1 hand-over to 0/3",
                                   "release 0 by 1/2"));
}

TEST_F(SuspectTest, SuspectIsNobodysHeirAndNobodysStandIn) {
  BootKept(4);
  Observed({0, 1}, Health::kSuspect);
  Give("scale 3");
  EXPECT_THAT(Asked(),
              ElementsAre("live 3 off", "drain 3/4 hand-over to 1/2 2/3", "adopt 3 by 2/3"));
}

TEST_F(SuspectTest, OnlyHealthyWorkerIsNotRetiredBeforeAnotherAnswers) {
  BootKept(2);
  Observed({0, 1}, Health::kSuspect);
  const CommandId scale = Give("scale 1");
  EXPECT_TRUE(Serving(1));
  EXPECT_EQ(Answer(scale), "");
  EXPECT_THAT(Live(), ElementsAre(0, 1));
  Observed({0, 1}, Health::kWell);
  EXPECT_THAT(Asked(), ElementsAre("live 1 off", "drain 1/2 hand-over to 0/1", "adopt 1 by 0/1"));
}

TEST_F(SuspectTest, StarvedWorkerIsNoSuspect) {
  BootKept(2);
  Observed({0, 1}, Health::kStarved);
  EXPECT_THAT(Asked(), IsEmpty());
  EXPECT_THAT(Live(), ElementsAre(0, 1));
}

TEST_F(SuspectTest, AbortedSuccessorOfASuspectGivesItsConnectionsToOthers) {
  options_.soak = absl::Seconds(3);
  options_.roll_width = 2;
  BootKept(3);
  Give("reload");
  Ready({0, 4});
  Observed({0, 1}, Health::kSuspect);
  Dies({1, 5}, "killed by SIGSEGV");
  EXPECT_THAT(Asked(), ElementsAre("drain 0/4 hand-over to 1/2 2/3"));
}

}  // namespace
}  // namespace uc::policy
