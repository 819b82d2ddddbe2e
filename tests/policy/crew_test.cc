#include "core/policy/crew.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/policy/policy_text.h"

namespace uc::policy {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class CrewTest : public ::testing::Test {
 protected:
  std::vector<std::string> Asked() {
    std::vector<std::string> asked;
    for (const Action& action : actions_) asked.push_back(ToText(action));
    actions_.clear();
    return asked;
  }
  Worker& Incumbent(SlotIndex slot) { return *crew_.Find(slot)->incumbent; }

  const absl::Time now_ = absl::FromUnixSeconds(1000);
  SupervisorOptions options_;
  Actions actions_;
  Crew crew_{options_, &actions_};
};

TEST_F(CrewTest, SlotsAreInOrderAndMadeOnce) {
  for (const SlotIndex index : {5, 1, 3, 1}) crew_.FindOrAdd(index);
  EXPECT_THAT(crew_.slots(),
              ElementsAre(testing::Field(&Slot::index, 1), testing::Field(&Slot::index, 3),
                          testing::Field(&Slot::index, 5)));
  EXPECT_EQ(crew_.Find(2), nullptr);
}

TEST_F(CrewTest, WorkerIsFoundByItsGenerationOnly) {
  crew_.Spawn(now_, crew_.FindOrAdd(0), &Slot::incumbent);
  EXPECT_EQ(crew_.Find(WorkerId{0, 1}).seat, &Slot::incumbent);
  EXPECT_EQ(crew_.Find(WorkerId{0, 2}).slot, nullptr);
  EXPECT_EQ(crew_.Find(WorkerId{1, 1}).slot, nullptr);
}

TEST_F(CrewTest, LifeOfAWorker) {
  Slot& slot = crew_.FindOrAdd(0);
  crew_.Spawn(now_, slot, &Slot::incumbent);
  EXPECT_EQ(Incumbent(0).deadline, now_ + options_.listen_timeout);
  crew_.Ready(now_, slot, &Slot::incumbent);
  crew_.SetLive(slot, true);
  crew_.SetLive(slot, true);
  crew_.SetLive(slot, false);
  crew_.Drain(now_, Incumbent(0), DrainKind::kPrompt, now_ + absl::Seconds(3), {});
  crew_.Kill(now_, Incumbent(0), KillReason::kLateExit);
  crew_.Kill(now_, Incumbent(0), KillReason::kStopNow);
  EXPECT_THAT(Asked(), ElementsAre("spawn 0/1", "live 0 on", "live 0 off", "drain 0/1 prompt",
                                   "kill 0/1 late-exit"));
}

TEST_F(CrewTest, SuccessorIsProvenWithoutAProbe) {
  Slot& slot = crew_.FindOrAdd(0);
  crew_.Spawn(now_, slot, &Slot::incumbent);
  crew_.Spawn(now_, slot, &Slot::successor);
  EXPECT_TRUE(SuccessorComes(slot));
  crew_.Ready(now_, slot, &Slot::successor);
  EXPECT_EQ(slot.successor->state, WorkerState::kProving);
  EXPECT_TRUE(slot.successor->proven);
  EXPECT_EQ(slot.successor->settled_at, now_ + options_.settle);
  EXPECT_THAT(Asked(), ElementsAre("spawn 0/1", "spawn 0/2 on-admission"));
}

TEST_F(CrewTest, HeirsAreTheHealthyOnesThatStayElseThoseThatRetire) {
  for (const SlotIndex index : {0, 1, 2, 3}) crew_.FindOrAdd(index);
  for (Slot& slot : crew_.slots()) {
    crew_.Spawn(now_, slot, &Slot::incumbent);
    crew_.Ready(now_, slot, &Slot::incumbent);
  }
  crew_.Find(2u)->wanted = false;
  Incumbent(3).suspect = true;
  EXPECT_THAT(crew_.HeirsBeside(*crew_.Find(0u)), ElementsAre(WorkerId{1, 2}));
  EXPECT_THAT(crew_.HeirsBeside(*crew_.Find(1u)), ElementsAre(WorkerId{0, 1}));
  for (const SlotIndex index : {0u, 1u}) crew_.Find(index)->wanted = false;
  EXPECT_THAT(crew_.HeirsBeside(*crew_.Find(0u)), ElementsAre(WorkerId{1, 2}, WorkerId{2, 3}));
}

TEST_F(CrewTest, HeirsThatDoNotServeAreLeftOut) {
  for (const SlotIndex index : {0, 1}) {
    crew_.Spawn(now_, crew_.FindOrAdd(index), &Slot::incumbent);
  }
  crew_.Ready(now_, *crew_.Find(0u), &Slot::incumbent);
  crew_.Drain(now_, Incumbent(0), DrainKind::kHandOver, now_, {{0, 1}, {1, 2}, {7, 7}});
  EXPECT_THAT(Asked(), ElementsAre("spawn 0/1", "spawn 1/2", "drain 0/1 hand-over"));
}

TEST_F(CrewTest, EnrolledWorkerKeepsItsNumberAndItsAge) {
  Slot& slot = crew_.FindOrAdd(3);
  const absl::Time ready = now_ - absl::Hours(1);
  crew_.Enrol(now_, slot, &Slot::incumbent, {{3, 7}, WorkerState::kServing, ready, {}});
  crew_.Enrol(now_, slot, &Slot::leaving, {{3, 5}, WorkerState::kDraining, ready, {}});
  EXPECT_EQ(slot.incumbent->ready_at, ready);
  EXPECT_FALSE(slot.incumbent->dismissed);
  EXPECT_EQ(slot.leaving->deadline, now_ + options_.kill_timeout);
  EXPECT_TRUE(slot.leaving->dismissed);
  EXPECT_FALSE(Crew::HasRoom(slot));
  EXPECT_THAT(Asked(), IsEmpty());
}

TEST_F(CrewTest, PromotionMovesTheOldOneAside) {
  Slot& slot = crew_.FindOrAdd(0);
  crew_.Spawn(now_, slot, &Slot::incumbent);
  crew_.Spawn(now_, slot, &Slot::successor);
  EXPECT_FALSE(Crew::HasRoom(slot));
  crew_.Promote(slot);
  EXPECT_EQ(slot.incumbent->id.generation, 2u);
  EXPECT_EQ(slot.leaving->id.generation, 1u);
}

TEST_F(CrewTest, OnlySoManyStart) {
  for (SlotIndex index = 0; index < options_.starting_max; ++index) {
    EXPECT_TRUE(crew_.MayStart());
    crew_.Spawn(now_, crew_.FindOrAdd(index), &Slot::incumbent);
  }
  EXPECT_FALSE(crew_.MayStart());
  crew_.Ready(now_, *crew_.Find(3u), &Slot::incumbent);
  EXPECT_TRUE(crew_.MayStart());
}

TEST_F(CrewTest, SlotsAreSweptWhenUnwantedAndEmpty) {
  crew_.FindOrAdd(0);
  crew_.Spawn(now_, crew_.FindOrAdd(1), &Slot::incumbent);
  crew_.FindOrAdd(2).wanted = false;
  crew_.Find(1u)->wanted = false;
  crew_.SweepEmptySlots();
  EXPECT_EQ(crew_.slots().size(), 2u);
  crew_.Find(1u)->incumbent.reset();
  crew_.SweepEmptySlots();
  EXPECT_EQ(crew_.slots().size(), 1u);
}

TEST_F(CrewTest, ImpossibleActsAreCaught) {
  Slot& slot = crew_.FindOrAdd(0);
  EXPECT_DEATH(crew_.SetLive(slot, true), "check failed");
  crew_.Spawn(now_, slot, &Slot::incumbent);
  EXPECT_DEATH(crew_.Spawn(now_, slot, &Slot::incumbent), "check failed");
  EXPECT_DEATH(crew_.Drain(now_, Incumbent(0), DrainKind::kPrompt, now_, {}), "check failed");
  EXPECT_DEATH(crew_.Admit(now_, Incumbent(0)), "check failed");
  EXPECT_DEATH(crew_.Close(slot), "check failed");
}

}  // namespace
}  // namespace uc::policy
