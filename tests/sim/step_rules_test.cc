// Each rule about a step, and about a cluster that has recovered, is seen to fall.
#include <algorithm>

#include "tests/sim/doctored_cluster.h"

namespace uc::sim {
namespace {

using policy::Actions;
using policy::DrainKind;
using policy::Health;
using policy::Legacy;
using policy::Woke;

class StepRulesTest : public DoctoredCluster {
 protected:
  static void Nothing(Actions*) {}
  std::string Recovered() { return invariants_->Recovered(now_, ViewOf(*supervisor_)); }
};

TEST_F(StepRulesTest, AtMostTwoWorkersInASlot) {
  Boot(2);
  EXPECT_THAT(With(policy::Spawn{{0, 4}, policy::Entry::kOnAdmission}, Given(policy::Reload{})),
              Falls("AtMostTwoWorkersInASlot"));
}

TEST_F(StepRulesTest, StartingIsBounded) {
  options_.starting_max = 1;
  Boot(1);
  EXPECT_THAT(Instead({policy::Spawn{{1, 3}}, policy::Spawn{{2, 4}}}), Falls("StartingIsBounded"));
}

TEST_F(StepRulesTest, RebirthKnowsEverybody) {
  Boot(2);
  const Legacy truth = {2, 2, {{kFirst}, {kSecond}}, {}, {}};
  const Legacy belief = {2, 2, {{kFirst}}, {}, {}};
  EXPECT_THAT(Reborn(truth, belief, Remove<policy::Spawn>), Falls("RebirthKnowsEverybody"));
}

TEST_F(StepRulesTest, RebirthSendsNobodyAway) {
  Boot(2);
  const Legacy legacy = {2, 2, {{kFirst}, {kSecond}}, {}, {}};
  EXPECT_THAT(Reborn(legacy, legacy,
                     [](Actions* actions) {
                       actions->push_back(policy::Drain{kFirst, DrainKind::kPrompt});
                     }),
              Falls("RebirthKnowsEverybody"));
}

// --- Who gets new connections ---

TEST_F(StepRulesTest, LiveSlotsServe) {
  Boot(2);
  EXPECT_THAT(Without<policy::SetLive>(Death(kFirst)), Falls("LiveSlotsServe"));
}

TEST_F(StepRulesTest, LiveSetIsNotEmptyWhileASlotServes) {
  Boot(1);
  EXPECT_THAT(With(policy::SetLive{0, false}), Falls("LiveSetIsNotEmptyWhileASlotServes"));
}

TEST_F(StepRulesTest, LiveSetIsNotEmptiedByChoice) {
  Boot(1);
  EXPECT_THAT(Instead({policy::SetLive{0, false}, policy::Drain{kFirst, DrainKind::kPrompt}}),
              Falls("LiveSetIsNotEmptiedByChoice"));
}

TEST_F(StepRulesTest, LiveSetShunsSuspects) {
  Boot(2);
  EXPECT_THAT(Without<policy::SetLive>(Seen(kFirst, Health::kSuspect)),
              Falls("LiveSetShunsSuspects"));
}

TEST_F(StepRulesTest, LiveSetShunsWhoRestarts) {
  Boot(2);
  Holds(Seen(kSecond, Health::kSuspect));
  EXPECT_THAT(Doctored(policy::ProgramEnded{kFirst},
                       [](Actions* actions) {
                         std::erase_if(*actions, [](const policy::Action& action) {
                           const auto* change = std::get_if<policy::SetLive>(&action);
                           return change != nullptr && !change->live;
                         });
                       }),
              Falls("LiveSetShunsWhoRestarts"));
}

// --- Who accepts ---

TEST_F(StepRulesTest, KeptListenersAreServed) {
  BootKept(2);
  EXPECT_THAT(Without<policy::Adopt>(Death(kFirst)), Falls("KeptListenersAreServed"));
}

TEST_F(StepRulesTest, SuspectNeedsAStandIn) {
  BootKept(2);
  EXPECT_THAT(Without<policy::Adopt>(Seen(kFirst, Health::kSuspect)),
              Falls("KeptListenersAreServed"));
}

TEST_F(StepRulesTest, AtMostOneStandIn) {
  BootKept(3);
  Legacy legacy = {3, 3, {{kFirst}, {kSecond}}, {0, 1, 2}, {}};
  for (Legacy::Found& found : legacy.workers) found.adopted = {2};
  EXPECT_THAT(Reborn(legacy, legacy, Remove<policy::Release>), Falls("AtMostOneStandIn"));
}

TEST_F(StepRulesTest, ReleasedSlotsAreServed) {
  BootKept(2);
  Holds(Death(kFirst));
  Holds(Seen(kSecond, Health::kSuspect));
  EXPECT_THAT(With(policy::Release{0, kSecond}), Falls("ReleasedSlotsAreServed"));
}

TEST_F(StepRulesTest, NothingAcceptsForEvacuatedSlots) {
  options_.retirement = policy::Retirement::kMigrate;
  BootKept(2);
  EXPECT_THAT(Without<policy::Drain>(Given(policy::Scale{{}, 1})),
              Falls("NothingAcceptsForEvacuatedSlots"));
}

// --- Who serves ---

TEST_F(StepRulesTest, ServingFallsOnlyForAReason) {
  Boot(2);
  EXPECT_THAT(Instead({policy::SetLive{0, false}, policy::Drain{kFirst, DrainKind::kPrompt}}),
              Falls("ServingFallsOnlyForAReason"));
}

TEST_F(StepRulesTest, RestartOfOneSlotAndAStuckWorkerTakeNoOtherSlot) {
  const auto take_second = [](Actions* actions) {
    actions->push_back(policy::SetLive{1, false});
    actions->push_back(policy::Drain{kSecond, DrainKind::kPrompt});
  };
  Boot(3);
  EXPECT_THAT(Doctored(Given(policy::Restart{0}), take_second),
              Falls("ServingFallsOnlyForAReason"));
  Boot(3);
  EXPECT_THAT(Doctored(Seen(kFirst, Health::kStuck), take_second),
              Falls("ServingFallsOnlyForAReason"));
  Boot(2);
  EXPECT_THAT(Doctored(Seen(kFirst, Health::kStuck), take_second),
              Falls("LiveSetIsNotEmptiedByChoice"));
}

TEST_F(StepRulesTest, RollHasItsWidth) {
  Boot(2);
  EXPECT_THAT(With(policy::Spawn{{1, 9}, policy::Entry::kOnAdmission}, Given(policy::Reload{})),
              Falls("RollHasItsWidth"));
}

TEST_F(StepRulesTest, AtMostOneRecycles) {
  Boot(2);
  Holds(policy::RecycleDue{kSecond, "too much memory"});
  const policy::Event first = policy::RecycleDue{kFirst, "too much memory"};
  EXPECT_THAT(With(policy::Spawn{{0, 4}, policy::Entry::kOnAdmission}, first),
              Falls("AtMostOneRecycles"));
}

TEST_F(StepRulesTest, StoppedSlotsEndedForGood) {
  Boot(2);
  std::vector<policy::Slot> doctored(supervisor_->slots().begin(), supervisor_->slots().end());
  doctored[0].stopped_by = 1;
  EXPECT_THAT(ShownAs([&](View* view) { view->slots = doctored; }),
              Falls("StoppedSlotsEndedForGood"));
}

TEST_F(StepRulesTest, NobodyWaitsForTheStopped) {
  options_.restarts.autorestart = false;
  BootKept(1);
  EXPECT_THAT(Without<policy::Evacuate>(Death(kFirst)), Falls("NobodyWaitsForTheStopped"));
}

// --- The tables ---

TEST_F(StepRulesTest, WantedSlotsAreContiguous) {
  Boot(2);
  EXPECT_THAT(ShownAs([](View* view) { view->wanted = 3; }), Falls("WantedSlotsAreContiguous"));
  EXPECT_THAT(ShownAs([](View* view) { view->slots.remove_prefix(1); }),
              Falls("WantedSlotsAreContiguous"));
}

TEST_F(StepRulesTest, TablesAreTrue) {
  Boot(2);
  EXPECT_THAT(Without<policy::Spawn>(Death(kFirst)), Falls("TablesAreTrue"));
}

TEST_F(StepRulesTest, DeadlinesAreAhead) {
  Boot(1);
  EXPECT_THAT(ShownAs([this](View* view) { view->next_deadline = now_; }),
              Falls("DeadlinesAreAhead"));
}

TEST_F(StepRulesTest, NoTerminalState) {
  Boot(2);
  Holds(Death(kFirst));
  Holds(Death({0, 3}));
  EXPECT_THAT(ShownAs([](View* view) { view->next_deadline = absl::InfiniteFuture(); }),
              Falls("NoTerminalState"));
}

TEST_F(StepRulesTest, NoProgramIsForgotten) {
  Boot(2);
  Holds(policy::ProgramEnded{kFirst});
  Holds(policy::ProgramEnded{kFirst});
  EXPECT_THAT(ShownAs([](View* view) { view->next_deadline = absl::InfiniteFuture(); }),
              Falls("NoProgramIsForgotten"));
}

TEST_F(StepRulesTest, OpenCommandsAreBounded) {
  Boot(1);
  std::string fallen;
  for (size_t command = 0; command <= policy::kCommandsMax; ++command) {
    EXPECT_EQ(fallen, "");
    fallen = Without<policy::Acknowledge>(Given(policy::Ping{}));
  }
  EXPECT_THAT(fallen, Falls("OpenCommandsAreBounded"));
}

// --- When faults have stopped ---

TEST_F(StepRulesTest, RecoveryMeansThatAllServeAndAllIsAnswered) {
  Boot(2);
  EXPECT_EQ(Recovered(), "");
  EXPECT_EQ(Without<policy::Acknowledge>(Given(policy::Ping{})), "");
  EXPECT_THAT(Recovered(), Falls("AllCommandsAreAnswered"));
  Holds(Death(kFirst));
  EXPECT_THAT(Recovered(), Falls("AllWantedSlotsServe"));
}

}  // namespace
}  // namespace uc::sim
