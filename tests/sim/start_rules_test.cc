// Each rule about the end of a start is seen to fall.
#include "tests/sim/doctored_cluster.h"

namespace uc::sim {
namespace {

class StartRulesTest : public DoctoredCluster {
 protected:
  // Slot 0 serves, slot 1 starts.
  void BootHalf() {
    options_.workers = 2;
    supervisor_.emplace(options_);
    invariants_.emplace(options_);
    const policy::Actions actions = supervisor_->Start(now_);
    EXPECT_EQ(Judge(policy::Woke{}, actions, ViewOf(*supervisor_)), "");
    Holds(policy::WorkerReady{kFirst});
  }
};

TEST_F(StartRulesTest, StartEndsOnce) {
  Boot(2);
  EXPECT_THAT(With(policy::StartEnded{2, 2, ""}), Falls("StartEndsOnceAndIsCounted"));
}

TEST_F(StartRulesTest, StartSaysHowManyServe) {
  BootHalf();
  EXPECT_THAT(With(policy::StartEnded{2, 2, ""}), Falls("StartEndsOnceAndIsCounted"));
}

TEST_F(StartRulesTest, StartNamesWhatFailed) {
  BootHalf();
  EXPECT_THAT(With(policy::StartEnded{1, 2, ""}), Falls("StartEndsOnceAndIsCounted"));
}

TEST_F(StartRulesTest, StartEndsInTime) {
  BootHalf();
  std::string fallen;
  for (int wakes = 0; wakes < 30 && fallen.empty(); ++wakes) {
    now_ += absl::Seconds(1);
    fallen = Without<policy::StartEnded>(policy::Woke{});
  }
  EXPECT_THAT(fallen, Falls("StartEndsInTime"));
}

}  // namespace
}  // namespace uc::sim
