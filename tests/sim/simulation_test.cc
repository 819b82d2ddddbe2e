// One million steps through the weather. By hand, or after a failure:
//   bazel test //tests/sim:simulation_test --test_output=all --test_env=UC_SIM_SEED=7
//     --test_env=UC_SIM_STEPS=5000000
#include "tests/sim/simulation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "absl/strings/numbers.h"

namespace uc::sim {
namespace {

constexpr uint64_t kSteps = 200'000;  // for each of five seeds: one million

uint64_t FromEnvironment(const char* name, uint64_t otherwise) {
  const char* const text = std::getenv(name);
  uint64_t value = 0;
  if (text == nullptr) return otherwise;
  EXPECT_TRUE(absl::SimpleAtoi(text, &value)) << name << "=" << text << " is not a number";
  return value;
}

// Prints the story once and unescaped.
MATCHER(Holds, "holds") {
  if (!arg.empty()) std::printf("%s\n", std::string(arg).c_str());
  return arg.empty();
}

class SimulationTest : public ::testing::TestWithParam<uint64_t> {};

TEST_P(SimulationTest, EveryInvariantHoldsAfterEveryStep) {
  Simulation simulation(GetParam());
  EXPECT_THAT(simulation.Run(kSteps), Holds());
  const Simulation::Tally& tally = simulation.tally();
  // All that is to be lived through was lived through, often.
  EXPECT_GT(tally.lives, 20u);
  EXPECT_GT(tally.failed_boots, 5u);
  EXPECT_GT(tally.recoveries, 20u);
  EXPECT_GT(tally.rolls_done, 100u);
  EXPECT_GT(tally.rolls_aborted, 100u);
  EXPECT_GT(tally.done, 100u);
  EXPECT_GT(tally.failed, 100u);
  EXPECT_GT(tally.refused, 100u);
  std::printf(
      "lives %lu, failed boots %lu, recoveries %lu, spawns %lu, kills %lu, commands done %lu, "
      "failed %lu, refused %lu, rolls done %lu, aborted %lu\n",
      tally.lives, tally.failed_boots, tally.recoveries, tally.spawns, tally.kills, tally.done,
      tally.failed, tally.refused, tally.rolls_done, tally.rolls_aborted);
}

INSTANTIATE_TEST_SUITE_P(Seeds, SimulationTest, ::testing::Values(1, 2, 3, 4, 5));

TEST(ReplayTest, SeedAndStepsOfTheEnvironmentHold) {
  Simulation simulation(FromEnvironment("UC_SIM_SEED", 20'240'601));
  EXPECT_THAT(simulation.Run(FromEnvironment("UC_SIM_STEPS", 50'000)), Holds());
}

TEST(ReplayTest, SameSeedIsTheSameStory) {
  Simulation first(42), second(42), other(43);
  EXPECT_THAT(first.Run(20'000), Holds());
  EXPECT_THAT(second.Run(20'000), Holds());
  EXPECT_THAT(other.Run(20'000), Holds());
  EXPECT_EQ(first.fingerprint(), second.fingerprint());
  EXPECT_NE(first.fingerprint(), other.fingerprint());
}

}  // namespace
}  // namespace uc::sim
