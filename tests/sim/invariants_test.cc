// No rule is only decoration: each one has been seen to fall by the tests of this program. And the whole
// simulation sees a supervisor that breaks one.
#include "tests/sim/invariants.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/sim/doctored_cluster.h"
#include "tests/sim/simulation.h"

namespace uc::sim {
namespace {

using policy::Actions;
using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

class EveryRuleFalls : public ::testing::Environment {
 public:
  void TearDown() override {
    if (GTEST_FLAG_GET(filter) != "*") return;  // not everybody was asked
    EXPECT_THAT(NeverFallen(), IsEmpty()) << "rules that no test has seen fall";
  }
};
const auto* const kEnvironment = ::testing::AddGlobalTestEnvironment(new EveryRuleFalls);

// Every action of this kind passes through `change`, which says what is asked for in its place.
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
  EXPECT_THAT(fallen,
              AnyOf(StartsWith("AllCommandsAreAnswered"), HasSubstr("commands are still open")));
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

TEST(TamperedSimulationTest, LostAdoptionIsSeen) {
  EXPECT_THAT(RunTampered<policy::Adopt>([](const auto&, const policy::Adopt&, Actions*) {}),
              StartsWith("KeptListenersAreServed"));
}

TEST(TamperedSimulationTest, LostStartOfAProgramIsSeen) {
  EXPECT_THAT(
      RunTampered<policy::StartProgram>([](const auto&, const policy::StartProgram&, Actions*) {}),
      StartsWith("TablesAreTrue"));
}

TEST(TamperedSimulationTest, SecondStartOfAProgramIsSeen) {
  EXPECT_THAT(RunTampered<policy::StartProgram>(
                  [](const auto&, const policy::StartProgram& start, Actions* actions) {
                    actions->insert(actions->end(), {start, start});
                  }),
              StartsWith("ProgramsAreStartedWhenTheyHaveEnded"));
}

TEST(TamperedSimulationTest, UnaskedEvacuationIsSeen) {
  EXPECT_THAT(
      RunTampered<policy::SetLive>([](const auto&, const policy::SetLive& live, Actions* actions) {
        actions->push_back(live);
        if (!live.live) actions->push_back(policy::Evacuate{live.slot});
      }),
      StartsWith("EvacuatedAreTheRetiredOnly"));
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
      AnyOf(StartsWith("LiveSlotsServe"), StartsWith("LiveSetShunsSuspects"),
            StartsWith("RetirementComesAfterTheGrace")));
}

}  // namespace
}  // namespace uc::sim
