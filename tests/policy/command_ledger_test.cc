#include "core/policy/command_ledger.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/policy/supervisor.h"
#include "tests/policy/policy_text.h"

namespace uc::policy {
namespace {

using ::testing::ElementsAre;

class CommandLedgerTest : public ::testing::Test {
 protected:
  std::vector<std::string> Said() const {
    std::vector<std::string> said;
    for (const Action& action : actions_) said.push_back(ToText(action));
    return said;
  }
  Actions actions_;
  CommandLedger ledger_{&actions_};
};

TEST_F(CommandLedgerTest, TellsAndAnswers) {
  ledger_.Open(7);
  ledger_.Tell(7, "half way");
  ledger_.Answer(7, Outcome::kDone, "there");
  EXPECT_THAT(Said(), ElementsAre("tell 7: half way", "ack 7 done: there"));
}

TEST_F(CommandLedgerTest, AllThatAreOpenFailInTheirOrder) {
  ledger_.Open(2);
  ledger_.Open(1);
  ledger_.FailAll("over");
  ledger_.FailAll("nothing is left");
  EXPECT_THAT(Said(), ElementsAre("ack 1 failed: over", "ack 2 failed: over"));
}

TEST_F(CommandLedgerTest, IsBounded) {
  for (CommandId id = 0; id < kCommandsMax; ++id) {
    EXPECT_FALSE(ledger_.full());
    ledger_.Open(id);
  }
  EXPECT_TRUE(ledger_.full());
}

TEST_F(CommandLedgerTest, SecondAnswerIsImpossible) {
  ledger_.Open(7);
  ledger_.Answer(7, Outcome::kDone, "");
  EXPECT_DEATH(ledger_.Answer(7, Outcome::kDone, ""), "check failed");
  EXPECT_DEATH(ledger_.Tell(7, ""), "check failed");
}

TEST_F(CommandLedgerTest, OneIdIsOneCommand) {
  ledger_.Open(7);
  EXPECT_DEATH(ledger_.Open(7), "check failed");
}

}  // namespace
}  // namespace uc::policy
