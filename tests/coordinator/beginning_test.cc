// Beginning: may a coordinator go on with the workers that it finds, by where they listen?
#include "core/coordinator/beginning.h"

#include <unistd.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "gmock/gmock.h"
#include "tests/coordinator/former_stage.h"

namespace uc::coordinator {
namespace {

class AddressesInForceTest : public testing::Test {
 protected:
  void Listen(std::vector<std::string> addresses) {
    for (const std::string& text : addresses) {
      options_.addresses.push_back(*net::Address::Parse(text));
    }
  }
  std::string Found(absl::string_view addresses) {
    scoreboard::SetText(header_->addresses, sizeof(header_->addresses), addresses);
    const auto in_force = AddressesInForce(options_, *header_);
    if (!in_force.ok()) return absl::IsFailedPrecondition(in_force.status()) ? "refused" : "?";
    std::string text;
    for (const net::Address& address : *in_force) text += address.ToString() + ";";
    return text;
  }

  CoordinatorOptions options_;
  const std::unique_ptr<scoreboard::Header> header_ = std::make_unique<scoreboard::Header>();
};

TEST_F(AddressesInForceTest, TheSameAreInForce) {
  Listen({"127.0.0.1:80", "[::1]:80"});
  EXPECT_EQ(Found("127.0.0.1:80 [::1]:80"), "127.0.0.1:80;[::1]:80;");
}

TEST_F(AddressesInForceTest, PortZeroIsThePortThatTheyHave) {
  Listen({"127.0.0.1:0"});
  EXPECT_EQ(Found("127.0.0.1:41007"), "127.0.0.1:41007;");
  EXPECT_EQ(Found("[::1]:41007"), "refused");
}

TEST_F(AddressesInForceTest, OthersMoreOrFewerAreRefused) {
  Listen({"127.0.0.1:80"});
  EXPECT_EQ(Found("127.0.0.1:81"), "refused");
  EXPECT_EQ(Found("127.0.0.1:80 127.0.0.1:81"), "refused");
  EXPECT_EQ(Found(""), "refused");
}

TEST_F(AddressesInForceTest, WhatAProgramHasAddedComesBehindAndIsNotAskedFor) {
  options_.kind = scoreboard::AppKind::kProgram;
  Listen({"127.0.0.1:80"});
  EXPECT_EQ(Found("127.0.0.1:80 127.0.0.1:81"), "127.0.0.1:80;");
  EXPECT_EQ(Found("127.0.0.1:81 127.0.0.1:80"), "refused");
}

class CheckUnderstoodTest : public FormerStage {
 protected:
  CheckUnderstoodTest() {
    options_.directory = directory_;
    options_.name = "web";
  }
  absl::Status Check() {
    board_.reset();
    return CheckUnderstood(options_, scoreboard::Scoreboard::OpenAgain(directory_ + "/scoreboard"));
  }
  void ExpectRefused(const std::string& why) {
    const absl::Status status = Check();
    EXPECT_TRUE(absl::IsFailedPrecondition(status));
    EXPECT_THAT(std::string(status.message()),
                testing::AllOf(testing::HasSubstr(why), testing::HasSubstr("still serves"),
                               testing::HasSubstr("'uring-cluster stop web'")));
  }

  CoordinatorOptions options_;
};

TEST_F(CheckUnderstoodTest, ScoreboardOfAnotherVersionIsRefusedWhileSomebodyServes) {
  Keeper(7);
  layout().header.version = 1;
  ExpectRefused("has scoreboard version 1, this program reads version");
}

TEST_F(CheckUnderstoodTest, NoiseIsRefusedWhileSomebodyServes) {
  Keeper(7);
  layout().header.magic = 1;
  ExpectRefused("is not a scoreboard");
}

TEST_F(CheckUnderstoodTest, CutOrMissingIsRefusedWhileSomebodyServes) {
  Keeper(7);
  ASSERT_EQ(truncate((directory_ + "/scoreboard").c_str(), 10'000), 0);
  ExpectRefused("is cut short");
  unlink((directory_ + "/scoreboard").c_str());
  ExpectRefused("scoreboard: is missing");
}

TEST_F(CheckUnderstoodTest, WhereNobodyServesItDoesNotMatter) {
  layout().header.version = 1;
  EXPECT_TRUE(Check().ok());
}

}  // namespace
}  // namespace uc::coordinator
