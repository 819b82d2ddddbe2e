#include "core/coordinator/roll_trigger.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

namespace uc::coordinator {
namespace {

class RollTriggerTest : public ::testing::Test {
 protected:
  RollTriggerTest() {
    std::string name = testing::TempDir() + "roll_trigger.XXXXXX";
    root_ = mkdtemp(name.data());
  }
  ~RollTriggerTest() override { std::filesystem::remove_all(root_); }

  RollTrigger Begin(const char* cron, const std::string& path) {
    std::optional<policy::CronSchedule> schedule;
    if (cron != nullptr) schedule = *policy::CronSchedule::Parse(cron);
    absl::StatusOr<RollTrigger> trigger =
        RollTrigger::Begin(schedule, {path, {}, absl::Milliseconds(200)}, date_);
    EXPECT_TRUE(trigger.ok()) << trigger.status();
    return *std::move(trigger);
  }
  void Pass(absl::Duration time) {
    now_ += time;
    date_ += time;
  }

  std::string root_;
  absl::Time now_ = absl::FromUnixSeconds(1000);
  absl::Time date_ = absl::FromUnixSeconds(1'800'000'000);  // a full minute in every zone
};

TEST_F(RollTriggerTest, NothingToWaitFor) {
  RollTrigger trigger = Begin(nullptr, "");
  EXPECT_EQ(trigger.fd(), -1);
  EXPECT_EQ(trigger.TimeLeft(now_, date_, Rolling::kNo), absl::InfiniteDuration());
  EXPECT_EQ(trigger.Fires(now_, date_, Rolling::kNo), "");
}

TEST_F(RollTriggerTest, DateComes) {
  RollTrigger trigger = Begin("* * * * *", "");
  EXPECT_EQ(trigger.TimeLeft(now_, date_, Rolling::kNo), absl::Minutes(1));
  Pass(absl::Seconds(59));
  EXPECT_EQ(trigger.Fires(now_, date_, Rolling::kNo), "");
  Pass(absl::Seconds(1));
  EXPECT_EQ(trigger.Fires(now_, date_, Rolling::kYes), "--cron-restart: it is time");
  EXPECT_EQ(trigger.Fires(now_, date_, Rolling::kNo), "");
}

TEST_F(RollTriggerTest, ChangesWaitForARestAndForTheEndOfARoll) {
  RollTrigger trigger = Begin(nullptr, root_);
  ASSERT_GE(trigger.fd(), 0);
  std::ofstream(root_ + "/app.js") << "x";
  trigger.OnReadable(now_);
  EXPECT_EQ(trigger.TimeLeft(now_, date_, Rolling::kNo), absl::Milliseconds(200));
  EXPECT_EQ(trigger.Fires(now_, date_, Rolling::kNo), "");
  Pass(absl::Milliseconds(200));
  EXPECT_EQ(trigger.TimeLeft(now_, date_, Rolling::kYes), absl::InfiniteDuration());
  EXPECT_EQ(trigger.Fires(now_, date_, Rolling::kYes), "");
  EXPECT_EQ(trigger.Fires(now_, date_, Rolling::kNo), "--watch: app.js has changed");
  EXPECT_EQ(trigger.Fires(now_, date_, Rolling::kNo), "");
}

}  // namespace
}  // namespace uc::coordinator
