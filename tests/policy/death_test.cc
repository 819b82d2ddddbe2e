// What a worker's end, silence or gossip does to a cluster that runs.
#include "tests/policy/cluster_story.h"

namespace uc::policy {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class DeathTest : public ClusterStory {
 protected:
  // The slot's worker dies as often without having lived.
  void DiesQuickly(SlotIndex slot, int times) {
    for (int death = 0; death < times; ++death) {
      const absl::Time due = now_ + options_.restarts.backoff_max;
      while (!At(slot).incumbent.has_value() && now_ < due) Pass(absl::Milliseconds(50));
      ASSERT_TRUE(At(slot).incumbent.has_value());
      Dies(Incumbent(slot));
    }
  }
};

TEST_F(DeathTest, DeadWorkerIsReplacedAtOnce) {
  Boot(2);
  Pass(absl::Minutes(1));
  Dies({0, 1});
  EXPECT_THAT(Asked(), ElementsAre("live 0 off", "spawn 0/3"));
  EXPECT_THAT(Reported(),
              ElementsAre("slot 0, generation 1: killed by SIGSEGV; restarted at once"));
  Ready({0, 3});
  EXPECT_THAT(Asked(), ElementsAre("live 0 on"));
  EXPECT_EQ(At(0).restart_count, 1u);
}

TEST_F(DeathTest, ResetCountsRestartsFromZeroAgain) {
  Boot(1);
  Pass(absl::Minutes(1));
  Dies({0, 1});
  EXPECT_THAT(Asked(), ElementsAre("live 0 off", "spawn 0/2"));
  Give("reset");
  EXPECT_EQ(At(0).restart_count, 0u);
  Ready({0, 2});
  Pass(absl::Minutes(1));
  Dies({0, 2});
  EXPECT_EQ(At(0).restart_count, 1u);
}

TEST_F(DeathTest, CleanExitThatNobodyAskedForIsReplacedAsWell) {
  Boot(1);
  Leaves({0, 1});
  EXPECT_THAT(Asked(), ElementsAre("live 0 off", "spawn 0/2"));
}

TEST_F(DeathTest, QuickDeathsBackOff) {
  Boot(2);
  DiesQuickly(0, 3);
  EXPECT_THAT(Asked(), IsEmpty());
  EXPECT_THAT(Reported(), ElementsAre("slot 0, generation 4: worker killed by SIGSEGV before it "
                                      "was ready; next try in 150ms (3 quick deaths)"));
  EXPECT_EQ(supervisor_->NextDeadline(), now_ + absl::Milliseconds(150));
  Pass(absl::Milliseconds(150));
  EXPECT_THAT(Asked(), ElementsAre("spawn 0/5"));
}

TEST_F(DeathTest, ErroredSlotIsForgivenByAManualRestart) {
  options_.restarts.restarts_max = 3;
  Boot(2);
  DiesQuickly(0, 3);
  EXPECT_THAT(
      Reported(),
      ElementsAre("slot 0, generation 4: worker killed by SIGSEGV before it was ready; next "
                  "try in 15s (3 quick deaths, errored: --max-restarts)"));
  Give("restart 0");
  EXPECT_THAT(Asked(), ElementsAre("spawn 0/5"));
  EXPECT_EQ(At(0).restarts.quick_deaths(), 0);
  Dies({0, 5});
  EXPECT_THAT(Asked(), ElementsAre("spawn 0/6"));
}

TEST_F(DeathTest, CrashLoopIsNeverLiveAndNeverGivenUp) {
  Boot(2);
  DiesQuickly(0, 50);
  EXPECT_THAT(Live(), ElementsAre(1));
  Pass(options_.restarts.backoff_max);
  Ready(Incumbent(0));
  EXPECT_THAT(Live(), ElementsAre(0, 1));
}

TEST_F(DeathTest, BadSlotsDoNotKeepOthersFromTheirTurn) {
  options_.starting_max = 1;
  Boot(3);
  Dies({1, 2});
  Dies({2, 3});
  Dies(Incumbent(1));
  EXPECT_THAT(Asked(), ElementsAre("spawn 2/5"));
}

TEST_F(DeathTest, LateReadyIsKilledAndIsAQuickDeath) {
  Boot(2);
  Dies({0, 1});
  Pass(options_.listen_timeout);
  EXPECT_THAT(Asked(), ElementsAre("kill 0/3 late-ready"));
  Dies({0, 3}, "killed by SIGKILL");
  EXPECT_EQ(At(0).restarts.quick_deaths(), 2);
  EXPECT_THAT(Reported(),
              ElementsAre("slot 0, generation 3: not ready within 10s (does the app's start "
                          "return? else raise --listen-timeout); next try in "
                          "100ms (2 quick deaths)"));
}

TEST_F(DeathTest, FailedSpawnIsAQuickDeath) {
  Boot(2);
  Dies({0, 1});
  CannotSpawn({0, 3}, "no memory");
  EXPECT_THAT(Asked(), IsEmpty());
  EXPECT_EQ(At(0).restarts.quick_deaths(), 2);
}

TEST_F(DeathTest, StuckWorkerIsTakenOffKilledAndReplaced) {
  Boot(2);
  Pass(absl::Minutes(1));
  Observed({0, 1}, Health::kStuck);
  EXPECT_THAT(Asked(), ElementsAre("live 0 off", "kill 0/1 stuck"));
  EXPECT_THAT(Reported(), ElementsAre("slot 0, generation 1: stuck, so it is killed"));
  Observed({0, 1}, Health::kStuck);
  EXPECT_THAT(Asked(), IsEmpty());
  Dies({0, 1}, "killed by SIGKILL");
  EXPECT_THAT(Asked(), ElementsAre("spawn 0/3"));
}

TEST_F(DeathTest, StarvedWorkerIsLeftAloneAndReportedOnceAMinute) {
  Boot(1);
  int reports = 0;
  for (int second = 0; second < 120; ++second) {
    Observed({0, 1}, Health::kStarved);
    EXPECT_THAT(Asked(), IsEmpty());
    reports += static_cast<int>(Reported().size());
    Pass(absl::Seconds(1));
  }
  EXPECT_EQ(reports, 2);
}

TEST_F(DeathTest, StartingWorkerHasItsDeadlineAndIsNotJudged) {
  Boot(1);
  Dies({0, 1});
  Observed({0, 2}, Health::kStuck);
  EXPECT_THAT(Asked(), IsEmpty());
  EXPECT_EQ(supervisor_->events_ignored(), 0u);
}

TEST_F(DeathTest, GossipOfTheDeadIsIgnoredAndCounted) {
  Boot(2);
  Dies({0, 1});
  const uint64_t before = supervisor_->events_ignored();
  Ready({0, 1});            // after its death
  Ready({1, 2});            // twice
  Ready({1, 77});           // never born
  Ready({9, 1});            // no such slot
  Dies({0, 1});             // again
  Refuses({1, 2}, "late");  // it serves
  Refuses({0, 1}, "dead");
  Observed({0, 1}, Health::kStuck);
  CannotSpawn({1, 2}, "it serves");
  EXPECT_THAT(Asked(), IsEmpty());
  EXPECT_EQ(supervisor_->events_ignored() - before, 9u);
  EXPECT_THAT(Live(), ElementsAre(1));
}

TEST_F(DeathTest, ReadyOfAWorkerThatIsBeingKilledIsIgnored) {
  Boot(2);
  Dies({0, 1});
  Pass(options_.listen_timeout);
  Ready({0, 3});
  EXPECT_THAT(Live(), ElementsAre(1));
  EXPECT_EQ(supervisor_->events_ignored(), 1u);
}

TEST_F(DeathTest, RefusalIsAnsweredWithAKillSoThatNothingHangsOnIt) {
  Boot(2);
  Dies({0, 1});
  Refuses({0, 3}, "out of descriptors");
  EXPECT_THAT(Asked(), ElementsAre("kill 0/3 aborted"));
  Dies({0, 3}, "exited with code 1");
  EXPECT_THAT(Reported(), ElementsAre("slot 0, generation 3: out of descriptors; next try in 100ms "
                                      "(2 quick deaths)"));
}

TEST_F(DeathTest, WakingUpForNothingChangesNothing) {
  Boot(2);
  EXPECT_EQ(supervisor_->NextDeadline(), absl::InfiniteFuture());
  Pass(absl::Hours(1));
  EXPECT_THAT(Asked(), IsEmpty());
}

}  // namespace
}  // namespace uc::policy
