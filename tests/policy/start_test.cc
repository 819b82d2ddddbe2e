// The start ends in the truth: all serve, or who does not and why.
#include "tests/policy/cluster_story.h"

namespace uc::policy {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class StartTest : public ClusterStory {
 protected:
  // The slot's worker fails `times` times, each as soon as it is there.
  void Fails(SlotIndex slot, int times, absl::string_view reason = "exited with code 3") {
    for (int i = 0; i < times; ++i) {
      if (!At(slot).incumbent.has_value()) Pass(At(slot).spawn_at - now_);
      Dies(Incumbent(slot), reason);
    }
  }
};

TEST_F(StartTest, EndsWhenAllServe) {
  Start(2);
  Ready({0, 1});
  EXPECT_EQ(StartToldAs(), "");
  Ready({1, 2});
  EXPECT_EQ(StartToldAs(), "2 of 2 serve");
}

TEST_F(StartTest, SlotThatFailedThreeTimesHasShownThatItCannot) {
  Start(2);
  Ready({0, 1});
  Fails(1, 2);
  EXPECT_EQ(StartToldAs(), "");
  Fails(1, 1);
  EXPECT_EQ(StartToldAs(), "1 of 2 serve; slot 1: worker exited with code 3 before it was ready");
  EXPECT_FALSE(supervisor_->stopping());
}

TEST_F(StartTest, ErroredSlotHasShownItSooner) {
  options_.restarts.restarts_max = 1;
  Start(2);
  Ready({0, 1});
  Fails(1, 1);
  EXPECT_THAT(StartToldAs(), HasSubstr("1 of 2 serve"));
}

TEST_F(StartTest, SlotThatHangsIsToldWhenItsTimeIsOver) {
  Start(2);
  Pass(absl::Seconds(1));
  Ready({0, 1});
  Pass(options_.listen_timeout - absl::Milliseconds(1));
  EXPECT_EQ(StartToldAs(), "");
  Pass(absl::Milliseconds(1));
  EXPECT_THAT(StartToldAs(), HasSubstr("1 of 2 serve; slot 1: not ready within 10s"));
}

TEST_F(StartTest, SlowSlotsThatComeOneByOneAreWaitedFor) {
  options_.starting_max = 1;
  Start(4);
  for (Generation worker = 1; worker <= 4; ++worker) {
    EXPECT_EQ(StartToldAs(), "");
    Pass(options_.listen_timeout - absl::Seconds(1));
    Ready({worker - 1, worker});
  }
  EXPECT_EQ(StartToldAs(), "4 of 4 serve");
}

TEST_F(StartTest, SlotThatIsReadyAndDiesForEverPutsTheEndOffOnlyOnce) {
  options_.restarts.restarts_max = 100;
  options_.restarts.min_uptime = absl::Milliseconds(100);
  options_.restarts.restart_delay = absl::Seconds(1);
  Start(3);
  Ready({0, 1});
  // Both live long enough to be no quick death, and never at the same time.
  for (int round = 0; round < 8 && StartToldAs().empty(); ++round) {
    const SlotIndex slot = 1 + round % 2;
    if (!At(slot).incumbent.has_value())
      Pass(std::max(At(slot).spawn_at - now_, absl::ZeroDuration()));
    Ready(Incumbent(slot));
    Pass(absl::Milliseconds(500));
    Dies(Incumbent(slot));
    Pass(absl::Seconds(2));
  }
  EXPECT_THAT(StartToldAs(), HasSubstr("of 3 serve; slot"));
}

TEST_F(StartTest, NothingIsToldWhileNobodyWasEverReady) {
  Start(2);
  CannotSpawn({0, 1}, "no more processes");
  CannotSpawn({1, 2}, "no more processes");
  EXPECT_EQ(StartToldAs(), "");
  EXPECT_EQ(finish()->exit_code, 1);
}

TEST_F(StartTest, AllThatFailAfterTheyWereReadyAreTold) {
  Start(1);
  EXPECT_EQ(StartToldAs(), "");
  Ready({0, 1});
  EXPECT_EQ(StartToldAs(), "1 of 1 serve");
  Start(2);
  Ready({0, 1});
  Fails(0, 3, "killed by SIGSEGV");
  Fails(1, 3, "killed by SIGSEGV");
  EXPECT_EQ(StartToldAs(),
            "0 of 2 serve; slots 0, 1: worker killed by SIGSEGV before it was ready");
}

TEST_F(StartTest, SlotThatEndedAsItMayIsNoFailure) {
  options_.restarts.stop_exit_codes = {0};
  Start(2);
  Ready({0, 1});
  Exits({1, 2}, 0);
  EXPECT_EQ(StartToldAs(), "1 of 2 serve");
}

TEST_F(StartTest, SlotThatIsNotTriedAgainIsAFailure) {
  options_.restarts.autorestart = false;
  Start(2);
  Ready({0, 1});
  Dies({1, 2}, "exited with code 3");
  EXPECT_EQ(StartToldAs(), "1 of 2 serve; slot 1: worker exited with code 3 before it was ready");
}

TEST_F(StartTest, SlotsWithOneReasonAreNamedTogetherAndManyAreCounted) {
  Start(14);
  Ready({0, 1});
  for (SlotIndex slot = 1; slot < 14; ++slot) {
    const std::string reason = slot == 3 ? "exited with code 4" : "exited with code 3";
    for (int i = 0; i < 3; ++i) {
      if (!At(slot).incumbent.has_value())
        Pass(std::max(At(slot).spawn_at - now_, absl::ZeroDuration()));
      Refuses(Incumbent(slot), reason);
      Dies(Incumbent(slot), "killed by SIGKILL");
    }
  }
  EXPECT_EQ(StartToldAs(),
            "1 of 14 serve; slots 1, 2, 4, 5, 6, 7, 8, 9 and 4 others: exited with code 3; "
            "slot 3: exited with code 4");
}

TEST_F(StartTest, LaterRecoveryIsReported) {
  Start(2);
  Ready({0, 1});
  Fails(1, 3);
  EXPECT_THAT(Reported(), Not(ElementsAre(HasSubstr("whole"))));
  Pass(At(1).spawn_at - now_);
  Ready(Incumbent(1));
  EXPECT_THAT(Reported(), ElementsAre("cluster is whole: 2 of 2 workers serving"));
  Dies(Incumbent(1));
  Pass(absl::Minutes(1));
  Ready(Incumbent(1));
  EXPECT_THAT(Reported(), IsEmpty());
}

TEST_F(StartTest, TakeOverEndsToo) {
  legacy_.workers_wanted = 2;
  legacy_.newest_generation = 7;
  legacy_.workers = {{{0, 7}}};
  Resume();
  EXPECT_EQ(StartToldAs(), "");
  Pass(options_.listen_timeout);
  EXPECT_THAT(StartToldAs(), HasSubstr("1 of 2 serve; slot 1: not ready within 10s"));
}

TEST_F(StartTest, OperatorsNewBeginningForgetsTheFailure) {
  Start(2);
  Ready({0, 1});
  Dies({1, 2}, "exited with code 3");
  EXPECT_EQ(At(1).failure, "worker exited with code 3 before it was ready");
  EXPECT_EQ(At(1).failed_at, now_);
  Give("restart");
  EXPECT_EQ(At(1).failure, "");
}

TEST_F(StartTest, FailureOfAWorkerThatServedIsKeptToo) {
  Boot(1);
  Dies({0, 1}, "killed by SIGSEGV");
  EXPECT_EQ(At(0).failure, "killed by SIGSEGV");
}

// --- What the machine cannot carry ---

TEST_F(StartTest, ScaleBeyondABoundIsRefusedWithFigureAndCure) {
  Boot(2);
  Give("scale 20", {{64, "far away"}, {4, "each takes 6 descriptors of 64; raise ulimit -n"}});
  EXPECT_EQ(LastAnswer(),
            "refused: scale 20: 20 workers cannot be had, at most 4: each takes 6 descriptors of "
            "64; raise ulimit -n");
  Give("scale +3", {{4, "so it is"}});
  EXPECT_THAT(LastAnswer(), HasSubstr("refused: scale +3: 5 workers cannot be had, at most 4"));
  EXPECT_EQ(supervisor_->workers_wanted(), 2u);
}

TEST_F(StartTest, ScaleWithinOrDownIsNotRefused) {
  Boot(3);
  Give("scale 4", {{4, "so it is"}});
  EXPECT_EQ(LastAnswer(), "");
  Give("scale 2", {{1, "so it is"}});
  EXPECT_EQ(supervisor_->workers_wanted(), 2u);
}

TEST_F(StartTest, BoundBelowWhatIsThereNamesWhatIsThere) {
  Boot(3);
  Give("scale 4", {{1, "so it is"}});
  EXPECT_THAT(LastAnswer(), HasSubstr("4 workers cannot be had, at most 3"));
}

}  // namespace
}  // namespace uc::policy
