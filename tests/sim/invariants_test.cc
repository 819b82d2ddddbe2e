// Each invariant is seen to fall: an honest supervisor runs, and its actions or its tables are doctored.
#include "tests/sim/invariants.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "tests/sim/simulation.h"

namespace uc::sim {
namespace {

using policy::Actions;
using policy::Command;
using policy::CommandGiven;
using policy::Event;
using policy::Woke;
using policy::WorkerId;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class InvariantsTest : public ::testing::Test {
 protected:
  void Boot(uint32_t workers) {
    options_.workers = workers;
    supervisor_.emplace(options_);
    invariants_.emplace(options_);
    const Actions first = supervisor_->Start(now_);
    ASSERT_EQ(Judge(Woke{}, first, ViewOf(*supervisor_)), "");
    for (uint32_t slot = 0; slot < workers; ++slot) Holds(policy::WorkerReady{{slot, slot + 1}});
  }

  void Holds(const Event& event) {
    EXPECT_EQ(Falls(event, [](Actions*) {}), "");
  }

  // What is said when `doctor` has had its hands on the actions.
  template <typename Doctor>
  std::string Falls(const Event& event, Doctor doctor) {
    Actions actions = supervisor_->Step(now_, event);
    doctor(&actions);
    return Judge(event, actions, ViewOf(*supervisor_));
  }
  std::string FallsWith(policy::Action added, const Event& event = Woke{}) {
    return Falls(event, [&](Actions* actions) { actions->push_back(std::move(added)); });
  }
  template <typename Kind>
  std::string FallsWithout(const Event& event) {
    return Falls(event, [](Actions* actions) {
      std::erase_if(*actions, [](const auto& a) { return std::holds_alternative<Kind>(a); });
    });
  }
  // With a doctored view.
  template <typename Doctor>
  std::string ShownAs(Doctor doctor) {
    View view = ViewOf(*supervisor_);
    doctor(&view);
    return Judge(Woke{}, {}, view);
  }
  std::string Judge(const Event& event, const Actions& actions, const View& view) {
    return invariants_->Step(now_, event, actions, view);
  }

  Event Given(const Command& command) { return CommandGiven{++command_, command}; }
  static Event Death(WorkerId worker) { return policy::WorkerExited{worker, false, "killed"}; }

  absl::Time now_ = absl::FromUnixSeconds(1000);
  policy::SupervisorOptions options_;
  std::optional<policy::Supervisor> supervisor_;
  std::optional<Invariants> invariants_;
  policy::CommandId command_ = 0;
};

constexpr WorkerId kFirst = {0, 1};
constexpr WorkerId kNobody = {0, 99};

TEST_F(InvariantsTest, ActionNamesALivingWorker) {
  Boot(2);
  EXPECT_THAT(FallsWith(policy::Kill{kNobody}), StartsWith("ActionNamesALivingWorker"));
  EXPECT_THAT(FallsWith(policy::Drain{kNobody}), StartsWith("ActionNamesALivingWorker"));
  Holds(policy::HealthObserved{kFirst, policy::Health::kStuck});
  EXPECT_THAT(FallsWith(policy::Kill{kFirst}), StartsWith("ActionNamesALivingWorker"));
}

TEST_F(InvariantsTest, GenerationsAreNew) {
  Boot(2);
  EXPECT_THAT(FallsWith(policy::Spawn{{0, 2}}), StartsWith("GenerationsAreNew"));
}

TEST_F(InvariantsTest, ServingWorkersAreNotKilled) {
  Boot(2);
  EXPECT_THAT(FallsWith(policy::Kill{kFirst, policy::KillReason::kAborted}),
              StartsWith("ServingWorkersAreNotKilled"));
}

TEST_F(InvariantsTest, HandOverHasASuccessor) {
  Boot(2);
  EXPECT_THAT(FallsWith(policy::Drain{kFirst, policy::DrainKind::kHandOver}),
              StartsWith("HandOverHasASuccessor"));
}

TEST_F(InvariantsTest, RetireComesAfterClose) {
  Boot(2);
  EXPECT_THAT(FallsWith(policy::CloseSlot{0}), StartsWith("RetireComesAfterClose"));
  EXPECT_THAT(FallsWith(policy::CloseSlot{7}), "");
  EXPECT_THAT(FallsWith(policy::CloseSlot{7}), StartsWith("RetireComesAfterClose"));
  EXPECT_THAT(FallsWithout<policy::CloseSlot>(Given(policy::Scale{{}, 1})),
              StartsWith("RetireComesAfterClose"));
}

TEST_F(InvariantsTest, CommandsAreAnsweredOnce) {
  Boot(1);
  EXPECT_THAT(FallsWith(policy::Acknowledge{1}, Given(policy::Ping{})),
              StartsWith("CommandsAreAnsweredOnce"));
  EXPECT_THAT(FallsWith(policy::Progress{1, "late"}), StartsWith("CommandsAreAnsweredOnce"));
}

TEST_F(InvariantsTest, QuickDeathsBackOff) {
  Boot(2);
  Holds(Death(kFirst));
  EXPECT_THAT(FallsWith(policy::Spawn{{0, 4}}, Death({0, 3})), StartsWith("QuickDeathsBackOff"));
}

TEST_F(InvariantsTest, NothingComesAfterFinish) {
  Boot(1);
  Holds(Given(policy::Stop{}));
  EXPECT_THAT(FallsWith(policy::Report{}, Death(kFirst)), StartsWith("NothingComesAfterFinish"));
}

TEST_F(InvariantsTest, FinishIsAskedForOrAFailedBoot) {
  Boot(1);
  EXPECT_THAT(FallsWith(policy::Finish{}), HasSubstr("FinishIsAskedForOrAFailedBoot: workers"));
  EXPECT_THAT(Falls(Death(kFirst), [](Actions* actions) { *actions = {policy::Finish{}}; }),
              HasSubstr("FinishIsAskedForOrAFailedBoot: nobody asked"));
}

TEST_F(InvariantsTest, AtMostTwoWorkersInASlot) {
  Boot(2);
  const Actions three = {policy::Spawn{{0, 3}}, policy::Spawn{{0, 4}}};
  EXPECT_THAT(Falls(Woke{}, [&](Actions* actions) { *actions = three; }),
              StartsWith("AtMostTwoWorkersInASlot"));
}

TEST_F(InvariantsTest, StartingIsBounded) {
  options_.starting_max = 1;
  Boot(1);
  const Actions two = {policy::Spawn{{1, 3}}, policy::Spawn{{2, 4}}};
  EXPECT_THAT(Falls(Woke{}, [&](Actions* actions) { *actions = two; }),
              StartsWith("StartingIsBounded"));
}

TEST_F(InvariantsTest, LiveSlotsServe) {
  Boot(2);
  EXPECT_THAT(FallsWithout<policy::SetLive>(Death(kFirst)), StartsWith("LiveSlotsServe"));
}

TEST_F(InvariantsTest, LiveSetIsNotEmptyWhileASlotServes) {
  Boot(1);
  EXPECT_THAT(FallsWith(policy::SetLive{0, false}),
              StartsWith("LiveSetIsNotEmptyWhileASlotServes"));
}

TEST_F(InvariantsTest, LiveSetIsNotEmptiedByChoice) {
  Boot(1);
  const Actions leave = {policy::SetLive{0, false},
                         policy::Drain{kFirst, policy::DrainKind::kPrompt}};
  EXPECT_THAT(Falls(Woke{}, [&](Actions* actions) { *actions = leave; }),
              StartsWith("LiveSetIsNotEmptiedByChoice"));
}

TEST_F(InvariantsTest, ServingFallsOnlyForAReason) {
  Boot(2);
  const Actions leave = {policy::SetLive{0, false},
                         policy::Drain{kFirst, policy::DrainKind::kPrompt}};
  EXPECT_THAT(Falls(Woke{}, [&](Actions* actions) { *actions = leave; }),
              StartsWith("ServingFallsOnlyForAReason"));
}

TEST_F(InvariantsTest, RollHasWidthOne) {
  Boot(2);
  EXPECT_THAT(FallsWith(policy::Spawn{{1, 9}}, Given(policy::Reload{})),
              StartsWith("RollHasWidthOne"));
}

TEST_F(InvariantsTest, WantedSlotsAreContiguous) {
  Boot(2);
  EXPECT_THAT(ShownAs([](View* view) { view->wanted = 3; }),
              StartsWith("WantedSlotsAreContiguous"));
  EXPECT_THAT(ShownAs([](View* view) { view->slots.remove_prefix(1); }),
              StartsWith("WantedSlotsAreContiguous"));
}

TEST_F(InvariantsTest, TablesAreTrue) {
  Boot(2);
  EXPECT_THAT(FallsWithout<policy::Spawn>(Death(kFirst)), StartsWith("TablesAreTrue"));
}

TEST_F(InvariantsTest, DeadlinesAreAhead) {
  Boot(1);
  EXPECT_THAT(ShownAs([this](View* view) { view->next_deadline = now_; }),
              StartsWith("DeadlinesAreAhead"));
}

TEST_F(InvariantsTest, NoTerminalState) {
  Boot(2);
  Holds(Death(kFirst));
  Holds(Death({0, 3}));
  EXPECT_THAT(ShownAs([](View* view) { view->next_deadline = absl::InfiniteFuture(); }),
              StartsWith("NoTerminalState"));
}

TEST_F(InvariantsTest, OpenCommandsAreBounded) {
  Boot(1);
  std::string fallen;
  for (size_t command = 0; command <= policy::kCommandsMax; ++command) {
    EXPECT_EQ(fallen, "");
    fallen = FallsWithout<policy::Acknowledge>(Given(policy::Ping{}));
  }
  EXPECT_THAT(fallen, StartsWith("OpenCommandsAreBounded"));
}

TEST_F(InvariantsTest, RecoveryMeansThatAllServeAndAllIsAnswered) {
  Boot(2);
  EXPECT_EQ(invariants_->Recovered(now_, ViewOf(*supervisor_)), "");
  EXPECT_EQ(FallsWithout<policy::Acknowledge>(Given(policy::Ping{})), "");
  EXPECT_THAT(invariants_->Recovered(now_, ViewOf(*supervisor_)),
              StartsWith("AllCommandsAreAnswered"));
  Holds(Death(kFirst));
  EXPECT_THAT(invariants_->Recovered(now_, ViewOf(*supervisor_)),
              StartsWith("AllWantedSlotsServe"));
}

// --- The whole simulation, with a supervisor that breaks one rule ---

// Every action that `changes` says yes to is changed or, when it empties the optional, left out.
template <typename Kind, typename Change>
std::string RunTampered(Change change) {
  Simulation simulation(1, [change](const policy::Supervisor& supervisor, Actions* actions) {
    Actions changed;
    for (const policy::Action& action : *actions) {
      const auto* kind = std::get_if<Kind>(&action);
      if (kind == nullptr) {
        changed.push_back(action);
      } else {
        change(supervisor, *kind, &changed);
      }
    }
    *actions = std::move(changed);
  });
  return simulation.Run(200'000);
}

TEST(TamperedSimulationTest, LostAnswerIsSeenWhenFaultsHaveStopped) {
  int answers = 0;
  const std::string fallen = RunTampered<policy::Acknowledge>(
      [&answers](const auto&, const policy::Acknowledge& answer, Actions* actions) {
        if (++answers % 100 != 0) actions->push_back(answer);
      });
  EXPECT_THAT(fallen, ::testing::AnyOf(StartsWith("AllCommandsAreAnswered"),
                                       HasSubstr("commands are still open")));
}

TEST(TamperedSimulationTest, SecondAnswerIsSeen) {
  EXPECT_THAT(RunTampered<policy::Acknowledge>(
                  [](const auto&, const policy::Acknowledge& answer, Actions* actions) {
                    actions->insert(actions->end(), {answer, answer});
                  }),
              StartsWith("CommandsAreAnsweredOnce"));
}

TEST(TamperedSimulationTest, RollThatDoesNotWaitForItsSuccessorIsSeen) {
  EXPECT_THAT(RunTampered<policy::Spawn>([](const policy::Supervisor& supervisor,
                                            const policy::Spawn& spawn, Actions* actions) {
                actions->push_back(spawn);
                for (const policy::Slot& slot : supervisor.slots()) {
                  if (slot.index == spawn.worker.slot && slot.successor.has_value()) {
                    actions->push_back(policy::Drain{slot.incumbent->id});
                  }
                }
              }),
              StartsWith("HandOverHasASuccessor"));
}

TEST(TamperedSimulationTest, LostKillIsSeen) {
  EXPECT_THAT(RunTampered<policy::Kill>([](const auto&, const policy::Kill&, Actions*) {}),
              StartsWith("TablesAreTrue"));
}

TEST(TamperedSimulationTest, WrongWorkerIsSeenAndTheWayToReplayIsSaid) {
  const std::string fallen =
      RunTampered<policy::Drain>([](const auto&, policy::Drain drain, Actions* actions) {
        --drain.worker.generation;
        actions->push_back(drain);
      });
  EXPECT_THAT(fallen, HasSubstr(": no such worker lives"));
  EXPECT_THAT(fallen, HasSubstr("seed 1, life "));
  EXPECT_THAT(fallen, HasSubstr("--test_env=UC_SIM_SEED=1 --test_env=UC_SIM_STEPS="));
}

TEST(TamperedSimulationTest, LiveCrashLoopIsSeen) {
  EXPECT_THAT(
      RunTampered<policy::SetLive>([](const auto&, const policy::SetLive& live, Actions* actions) {
        if (live.live) actions->push_back(live);
      }),
      ::testing::AnyOf(StartsWith("LiveSlotsServe"), StartsWith("RetireComesAfterClose")));
}

}  // namespace
}  // namespace uc::sim
