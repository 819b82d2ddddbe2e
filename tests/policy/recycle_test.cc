// Workers that have had their day are replaced one at a time, successor first.
#include "tests/policy/cluster_story.h"

namespace uc::policy {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class RecycleTest : public ClusterStory {
 protected:
  void Recycled(WorkerId old, WorkerId successor) {
    Ready(successor);
    Leaves(old);
  }
};

TEST_F(RecycleTest, SuccessorComesFirstAndTakesOver) {
  Boot(2);
  Due({1, 2}, "312M of memory");
  EXPECT_THAT(Asked(), ElementsAre("spawn 1/3 on-admission"));
  EXPECT_THAT(Reported(), ElementsAre("slot 1, generation 2: is recycled: 312M of memory"));
  EXPECT_TRUE(supervisor_->recycling());
  EXPECT_FALSE(supervisor_->rolling());
  Ready({1, 3});
  EXPECT_THAT(Asked(), ElementsAre("admit 1/3", "drain 1/2 hand-over to 1/3"));
  Leaves({1, 2});
  EXPECT_THAT(Reported(), ElementsAre("slot 1, generation 2: was recycled, generation 3 serves"));
  EXPECT_FALSE(supervisor_->recycling());
  EXPECT_EQ(At(1).restart_count, 0u);
}

TEST_F(RecycleTest, NeverTwoAtOnce) {
  Boot(3);
  Due({0, 1});
  Due({1, 2});
  Due({2, 3});
  EXPECT_THAT(Asked(), IsEmpty());
  Ready({0, 4});
  EXPECT_THAT(Asked(), ElementsAre("admit 0/4", "drain 0/1 hand-over to 0/4"));
  Leaves({0, 1});
  EXPECT_THAT(Asked(), ElementsAre("spawn 1/5 on-admission"));
  Recycled({1, 2}, {1, 5});
  EXPECT_THAT(Asked(), ElementsAre("spawn 2/6 on-admission"));
}

TEST_F(RecycleTest, SaidTwiceIsDoneOnce) {
  Boot(2);
  Due({0, 1});
  Due({1, 2});
  Due({1, 2});
  Recycled({0, 1}, {0, 3});
  Recycled({1, 2}, {1, 4});
  EXPECT_THAT(Asked(), IsEmpty());
}

TEST_F(RecycleTest, SuccessorThatIsAsBadWaitsForItsTurn) {
  Boot(1);
  Due({0, 1});
  Recycled({0, 1}, {0, 2});
  Due({0, 2});
  EXPECT_THAT(Asked(), IsEmpty());
  Pass(absl::Seconds(10));
  Due({0, 2});
  EXPECT_THAT(Asked(), ElementsAre("spawn 0/3 on-admission"));
}

TEST_F(RecycleTest, RollThatIsAskedForRenewsThemAnyway) {
  Boot(2);
  Due({0, 1});
  Due({1, 2});
  const CommandId reload = Give("reload");
  EXPECT_THAT(Told(), ElementsAre("a worker is being recycled; the roll follows"));
  Recycled({0, 1}, {0, 3});
  EXPECT_THAT(Asked(), ElementsAre("spawn 0/4 on-admission"));  // the roll's
  Recycled({0, 3}, {0, 4});
  Recycled({1, 2}, {1, 5});
  EXPECT_THAT(Answer(reload), HasSubstr("done: rolled 2 slots"));
  EXPECT_THAT(Asked(), IsEmpty());
}

TEST_F(RecycleTest, RestartAndUpgradeGoBefore) {
  Boot(2);
  Due({0, 1});
  Give("upgrade");
  EXPECT_THAT(Asked(), ElementsAre("kill 0/3 aborted", "upgrade 1"));
  Dies({0, 3});
  UpgradeFails(1);
  Pass(absl::Seconds(10));
  Due({0, 1});
  EXPECT_THAT(Asked(), ElementsAre("spawn 0/4 on-admission"));
  const CommandId restart = Give("restart 0");
  EXPECT_THAT(Asked(), ElementsAre("kill 0/4 aborted", "live 0 off", "drain 0/1 prompt to 1/2"));
  Dies({0, 4});
  Leaves({0, 1});
  Ready(Incumbent(0));
  EXPECT_THAT(Answer(restart), HasSubstr("done"));
}

TEST_F(RecycleTest, RestartOfAnotherSlotIsNotInItsWay) {
  Boot(2);
  Due({0, 1});
  Give("restart 1");
  EXPECT_THAT(Asked(), ElementsAre("live 1 off", "drain 1/2 prompt to 0/1"));
  EXPECT_TRUE(supervisor_->recycling());
}

TEST_F(RecycleTest, RetiredSlotIsNotRecycled) {
  Boot(2);
  Due({0, 1});
  Due({1, 2});
  Give("scale 1");
  Leaves({1, 2});
  Recycled({0, 1}, {0, 3});
  EXPECT_THAT(Asked(), IsEmpty());
}

TEST_F(RecycleTest, StopEndsIt) {
  Boot(1);
  Due({0, 1});
  Give("stop");
  EXPECT_THAT(Asked(), ElementsAre("live 0 off", "drain 0/1 prompt", "kill 0/2 stop-now"));
}

// --- Errors ---

TEST_F(RecycleTest, WhatWasDueWhileASuccessorStartedWaitsWhenThatHasFailed) {
  options_.listen_timeout = absl::Seconds(20);
  Boot(1);
  Due({0, 1});
  Pass(absl::Seconds(15));
  Due({0, 1});
  Refuses({0, 2}, "no database");
  Dies({0, 2});
  EXPECT_THAT(Asked(), IsEmpty());
  Pass(absl::Minutes(1));
  Due({0, 1});
  EXPECT_THAT(Asked(), ElementsAre("spawn 0/3 on-admission"));
}

TEST_F(RecycleTest, SuccessorThatFailsLeavesTheOldOne) {
  Boot(1);
  Due({0, 1});
  Refuses({0, 2}, "no database");
  EXPECT_THAT(Reported(),
              ElementsAre("slot 0, generation 1: cannot be recycled and serves on; next "
                          "try in 1m: no database"));
  Dies({0, 2});
  EXPECT_TRUE(Serving(0));
  Pass(absl::Seconds(59));
  Due({0, 1});
  EXPECT_THAT(Asked(), IsEmpty());
  Pass(absl::Seconds(1));
  Due({0, 1});
  EXPECT_THAT(Asked(), ElementsAre("spawn 0/3 on-admission"));
}

// It does not serve on: it was told to leave.
TEST_F(RecycleTest, SuccessorThatFailsAfterItTookOverIsNotCoveredByTheOldOne) {
  Boot(1);
  Due({0, 1});
  Ready({0, 2});
  Reported();
  Dies({0, 2});
  EXPECT_THAT(Reported(), Contains(HasSubstr("slot 0, generation 1: has left or leaves, and the "
                                             "worker in its place has failed")));
  EXPECT_FALSE(supervisor_->recycling());
}

TEST_F(RecycleTest, OldOneThatDiesMeanwhileIsFollowed) {
  Boot(2);
  Due({0, 1});
  Dies({0, 1});
  EXPECT_THAT(Asked(), ElementsAre("live 0 off"));
  Ready({0, 3});
  EXPECT_TRUE(Serving(0));
  EXPECT_FALSE(supervisor_->recycling());
}

TEST_F(RecycleTest, GossipIsIgnored) {
  Boot(1);
  Due({0, 9});
  EXPECT_THAT(Asked(), IsEmpty());
  EXPECT_EQ(supervisor_->events_ignored(), 1u);
}

}  // namespace
}  // namespace uc::policy
