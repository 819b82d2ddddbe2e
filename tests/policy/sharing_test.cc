// When long-lived connections are to be shared out anew. Who gives what to whom: rebalance_test.cc.
#include "tests/policy/cluster_story.h"

namespace uc::policy {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Not;

class SharingTest : public ClusterStory {
 protected:
  void SetUp() override { options_.rebalancing = true; }
  void ExpectNoSharing() { EXPECT_THAT(Asked(), Not(Contains("rebalance"))); }
};

TEST_F(SharingTest, NotAtTheFirstBoot) {
  Start(3);
  for (const SlotIndex slot : {2, 0, 1}) {
    Ready(Incumbent(slot));
    ExpectNoSharing();
  }
}

TEST_F(SharingTest, OnceWhenAllNewcomersOfAScaleUpServe) {
  Boot(1);
  Give("scale 3");
  Ready({1, 2});
  ExpectNoSharing();
  Ready({2, 3});
  EXPECT_THAT(Asked(), ElementsAre("live 2 on", "rebalance"));
  Observed({0, 1}, Health::kWell);
  ExpectNoSharing();
}

TEST_F(SharingTest, AfterACrashWhenTheClientsHadTimeToComeBack) {
  Boot(2);
  Dies({0, 1});
  Ready({0, 3});
  ExpectNoSharing();
  Pass(absl::Seconds(1));
  EXPECT_THAT(Asked(), ElementsAre("rebalance"));
}

TEST_F(SharingTest, AfterTheRollNotDuringIt) {
  Boot(2);
  Give("reload");
  Dies({1, 2});
  Ready(Incumbent(1));
  Pass(absl::Seconds(1));
  ExpectNoSharing();
  Ready({0, 3});
  Leaves({0, 1});
  EXPECT_THAT(Asked(), ElementsAre("rebalance"));
}

TEST_F(SharingTest, NotForASuccessorWhoInherits) {
  Boot(1);
  Give("reload");
  Ready({0, 2});
  Leaves({0, 1});
  ExpectNoSharing();
}

TEST_F(SharingTest, OnceAtTheEndOfARestart) {
  Boot(2);
  Give("restart");
  Leaves({0, 1});
  Leaves({1, 2});
  Ready({0, 3});
  ExpectNoSharing();
  Ready({1, 4});
  EXPECT_THAT(Asked(), ElementsAre("live 1 on", "rebalance"));
}

TEST_F(SharingTest, NotOnceTheClusterStops) {
  Boot(2);
  Dies({0, 1});
  Ready({0, 3});
  Give("stop");
  Pass(absl::Seconds(5));
  ExpectNoSharing();
}

TEST_F(SharingTest, NeverUnlessItIsAskedFor) {
  options_.rebalancing = false;
  Boot(1);
  Give("scale 2");
  Ready({1, 2});
  EXPECT_THAT(Asked(), ElementsAre("live 1 on"));
}

}  // namespace
}  // namespace uc::policy
