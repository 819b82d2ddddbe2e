// Listeners that are kept are always served: by the slot's own worker, or by a stand-in.
#include "tests/policy/cluster_story.h"

namespace uc::policy {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class CustodyTest : public ClusterStory {};

TEST_F(CustodyTest, SlotOfADeadWorkerIsAdoptedUntilItsReplacementIsReady) {
  BootKept(2);
  Pass(absl::Minutes(1));
  Dies({0, 1});
  EXPECT_THAT(Asked(), ElementsAre("live 0 off", "spawn 0/3", "adopt 0 by 1/2"));
  Ready({0, 3});
  EXPECT_THAT(Asked(), ElementsAre("live 0 on", "release 0 by 1/2"));
}

TEST_F(CustodyTest, OneWithTheFewestIsChosen) {
  BootKept(4);
  Dies({0, 1});
  Dies({1, 2});
  EXPECT_THAT(StandIns(), ElementsAre("0 by 2/3", "1 by 3/4"));
  Dies(Incumbent(0));
  EXPECT_THAT(StandIns(), ElementsAre("0 by 2/3", "1 by 3/4")) << "a failed try changes nothing";
}

TEST_F(CustodyTest, AdopterThatDiesIsFollowedByAnother) {
  BootKept(3);
  Dies({0, 1});
  EXPECT_THAT(StandIns(), ElementsAre("0 by 1/2"));
  Dies({1, 2});
  EXPECT_THAT(Asked(), ElementsAre("live 1 off", "spawn 1/5", "adopt 0 by 2/3", "adopt 1 by 2/3"));
}

TEST_F(CustodyTest, AdopterThatLeavesIsFollowedByAnother) {
  BootKept(3);
  Dies({0, 1});
  Give("restart 1");
  EXPECT_THAT(Asked(), ElementsAre("live 1 off", "drain 1/2 prompt to 2/3", "adopt 0 by 2/3",
                                   "adopt 1 by 2/3"));
}

TEST_F(CustodyTest, AdopterThatIsSuspectHandsItsSlotOn) {
  BootKept(3);
  Dies({0, 1});
  Observed({1, 2}, Health::kSuspect);
  EXPECT_THAT(Asked(),
              ElementsAre("live 1 off", "release 0 by 1/2", "adopt 0 by 2/3", "adopt 1 by 2/3"));
}

TEST_F(CustodyTest, AdopterThatIsRolledHandsItsSlotOn) {
  options_.retirement = Retirement::kHold;
  BootKept(3);
  Give("scale 2");
  ASSERT_THAT(StandIns(), ElementsAre("2 by 0/1"));
  Leaves({2, 3});
  Give("reload");
  Ready({0, 4});
  EXPECT_THAT(Asked(), ElementsAre("admit 0/4", "drain 0/1 hand-over to 0/4", "adopt 2 by 0/4"));
  Leaves({0, 1});
  Ready({1, 5});
  Leaves({1, 2});
  EXPECT_THAT(StandIns(), ElementsAre("2 by 0/4"));
}

TEST_F(CustodyTest, NobodyElseMeansThatTheQueueWaitsForTheFirstWhoIsReady) {
  BootKept(2);
  Dies({0, 1});
  Dies({1, 2});
  EXPECT_THAT(Asked(), ElementsAre("live 1 off", "spawn 1/4"));
  Ready({1, 4});
  EXPECT_THAT(Asked(), ElementsAre("live 1 on", "adopt 0 by 1/4"));
}

TEST_F(CustodyTest, SlotsThatRetireTakeOverOnlyWhenNobodyElseCan) {
  options_.retire_grace = absl::Seconds(1);
  BootKept(3);
  Give("scale 2");
  Dies({0, 1});
  EXPECT_THAT(StandIns(), ElementsAre("0 by 1/2")) << "not slot 2, which still serves";
  Dies({1, 2});
  EXPECT_THAT(StandIns(), ElementsAre("0 by 2/3", "1 by 2/3"));
  EXPECT_THAT(Live(), ElementsAre(2));
}

TEST_F(CustodyTest, SocketsOfAFirstWorkerThatStillStartsDoNotListenYet) {
  BootKept(1);
  Give("scale 2");
  Kept(1);
  EXPECT_THAT(Asked(), IsEmpty());
  Ready({1, 2});
  EXPECT_THAT(Asked(), ElementsAre("live 1 on"));
}

TEST_F(CustodyTest, SocketsOfAFirstWorkerThatDiedMayListen) {
  BootKept(1);
  Give("scale 2");
  Kept(1);
  Dies({1, 2});
  EXPECT_THAT(Asked(), ElementsAre("spawn 1/3", "adopt 1 by 0/1"));
  Ready({1, 3});
  EXPECT_THAT(Asked(), ElementsAre("live 1 on", "release 1 by 0/1"));
}

TEST_F(CustodyTest, FailedSpawnIsAnEndAsWell) {
  BootKept(1);
  Give("scale 2");
  Kept(1);
  CannotSpawn({1, 2}, "no memory");
  EXPECT_THAT(Asked(), ElementsAre("spawn 1/3", "adopt 1 by 0/1"));
}

TEST_F(CustodyTest, ListenersThatAreNotKeptAreNobodysConcern) {
  Boot(2);
  Dies({0, 1});
  EXPECT_THAT(Asked(), ElementsAre("live 0 off", "spawn 0/3"));
}

TEST_F(CustodyTest, RestartOfAllLeavesNobodyToStandIn) {
  BootKept(2);
  Give("restart");
  EXPECT_THAT(Asked(),
              ElementsAre("live 0 off", "drain 0/1 prompt", "live 1 off", "drain 1/2 prompt"));
  Leaves({1, 2});
  Ready({1, 3});
  EXPECT_THAT(Asked(), ElementsAre("live 1 on", "adopt 0 by 1/3"));
}

TEST_F(CustodyTest, StopAdoptsNothing) {
  BootKept(2);
  Give("stop");
  Leaves({0, 1});
  EXPECT_THAT(Asked(), IsEmpty());
}

// --- Slots that were retired ---

class HoldTest : public ClusterStory {};

TEST_F(HoldTest, RetiredSlotStaysAdoptedThroughDeathsAndRolls) {
  BootKept(2);
  Give("scale 1");
  EXPECT_THAT(Asked(), ElementsAre("live 1 off", "drain 1/2 hand-over to 0/1", "adopt 1 by 0/1"));
  Leaves({1, 2});
  EXPECT_THAT(LastAnswer(), HasSubstr("done: 1 of 1"));
  Dies({0, 1});
  Ready({0, 3});
  EXPECT_THAT(Asked(), ElementsAre("live 0 on", "adopt 1 by 0/3"));
  Give("reload");
  Ready({0, 4});
  EXPECT_THAT(Asked(), ElementsAre("admit 0/4", "drain 0/3 hand-over to 0/4", "adopt 1 by 0/4"));
}

TEST_F(HoldTest, RetiredSlotThatIsUsedAgainGetsItsListenersBackWhenItServes) {
  BootKept(2);
  Give("scale 1");
  Leaves({1, 2});
  Give("scale 2");
  EXPECT_THAT(Asked(), ElementsAre("spawn 1/3"));
  Ready({1, 3});
  EXPECT_THAT(Asked(), ElementsAre("live 1 on", "release 1 by 0/1"));
}

TEST_F(HoldTest, ManyRetiredSlotsAreSharedOut) {
  BootKept(6);
  Give("scale 2");
  EXPECT_THAT(StandIns(), ElementsAre("2 by 0/1", "3 by 1/2", "4 by 0/1", "5 by 1/2"));
}

class MigrateTest : public ClusterStory {
 protected:
  void SetUp() override { options_.retirement = Retirement::kMigrate; }
};

TEST_F(MigrateTest, RetiredSlotIsEvacuatedBeforeItsWorkerHasToLeave) {
  BootKept(2);
  Give("scale 1");
  EXPECT_THAT(Asked(), ElementsAre("live 1 off", "evacuate 1", "drain 1/2 hand-over to 0/1"));
  Leaves({1, 2});
  EXPECT_THAT(LastAnswer(), HasSubstr("done"));
  EXPECT_THAT(StandIns(), IsEmpty());
}

TEST_F(MigrateTest, SlotUsedAgainBindsAnew) {
  BootKept(2);
  Give("scale 1");
  Give("scale 2");
  EXPECT_THAT(Asked(), ElementsAre("spawn 1/3"));
  Kept(1);
  Ready({1, 3});
  Leaves({1, 2});
  Dies({1, 3});
  EXPECT_THAT(StandIns(), ElementsAre("1 by 0/1"));
}

TEST_F(MigrateTest, StandInOfARetiredSlotLetsGoBeforeTheEvacuation) {
  BootKept(3);
  Dies({2, 3});
  ASSERT_THAT(StandIns(), ElementsAre("2 by 0/1"));
  Give("scale 2");
  EXPECT_THAT(Asked(), ElementsAre("release 2 by 0/1", "evacuate 2", "kill 2/4 aborted"));
}

TEST_F(MigrateTest, QueueOfARetiredSlotWaitsUntilThereIsSomebodyToMoveItTo) {
  BootKept(2);
  Dies({0, 1});
  const CommandId scale = Give("scale 1");
  Dies({1, 2});
  EXPECT_THAT(Asked(), ElementsAre("live 1 off")) << "nobody is left to migrate to";
  EXPECT_THAT(Answer(scale), HasSubstr("done"));
  Ready({0, 3});
  EXPECT_THAT(Asked(), ElementsAre("live 0 on", "evacuate 1"));
}

TEST_F(MigrateTest, ListenersThatComeAfterTheEvacuationAreEvacuatedToo) {
  BootKept(1);
  Give("scale 2");
  Give("scale 1");
  EXPECT_THAT(Asked(), ElementsAre("kill 1/2 aborted"));
  Kept(1);  // sent before the SIGKILL came
  EXPECT_THAT(Asked(), ElementsAre("evacuate 1"));
}

}  // namespace
}  // namespace uc::policy
