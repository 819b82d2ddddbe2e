#include "tools/restart_flags.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace uc::tools {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class RestartFlagsTest : public ::testing::Test {
 protected:
  RestartPlan Plan(const WatchedApp& app = {}) {
    const absl::StatusOr<RestartPlan> plan = PlanRestarts(request_, app);
    EXPECT_TRUE(plan.ok()) << plan.status();
    return plan.ok() ? *plan : RestartPlan{};
  }
  std::string Error(const WatchedApp& app = {}) {
    const absl::StatusOr<RestartPlan> plan = PlanRestarts(request_, app);
    EXPECT_FALSE(plan.ok());
    return plan.ok() ? "" : std::string(plan.status().message());
  }
  using Kind = WatchedApp::Kind;
  RestartRequest request_;
};

TEST_F(RestartFlagsTest, DefaultsArePm2sWithABackOff) {
  const RestartPlan plan = Plan();
  EXPECT_EQ(plan.restarts.min_uptime, absl::Seconds(1));
  EXPECT_EQ(plan.restarts.restarts_max, 16);
  EXPECT_EQ(plan.restarts.restart_delay, absl::ZeroDuration());
  EXPECT_TRUE(plan.restarts.autorestart);
  EXPECT_EQ(plan.recycle.memory_max, 0u);
  EXPECT_FALSE(plan.cron.has_value());
  EXPECT_EQ(plan.watch.path, "");
}

TEST_F(RestartFlagsTest, FirstWaitMayBeLongerThanTheCap) {
  request_.backoff_first = absl::Minutes(1);
  EXPECT_EQ(Plan().restarts.backoff_max, absl::Minutes(1));
}

TEST_F(RestartFlagsTest, StopExitCodes) {
  request_.stop_exit_codes = {"0", "3"};
  EXPECT_THAT(Plan().restarts.stop_exit_codes, ElementsAre(0, 3));
  // Nobody restarts it: an end that is well is no failure.
  request_.stop_exit_codes = {"3"};
  request_.autorestart = false;
  EXPECT_THAT(Plan().restarts.stop_exit_codes, ElementsAre(3, 0));
  for (const char* wrong : {"", "x", "-1", "256", "SIGTERM"}) {
    request_.stop_exit_codes = {wrong};
    EXPECT_THAT(Error(), HasSubstr("--stop-exit-codes=")) << wrong;
  }
}

TEST_F(RestartFlagsTest, WatchIsForFiles) {
  request_.watch = true;
  EXPECT_EQ(Plan({Kind::kSharedObject, "./libmyapp.so"}).watch.path, "./libmyapp.so");
  EXPECT_EQ(Plan({Kind::kProgram, "src/app.js"}).watch.path, "src/");
  EXPECT_EQ(Plan({Kind::kProgram, "app.js"}).watch.path, ".");
  EXPECT_EQ(Plan({Kind::kProgram, "server"}).watch.path, ".");
  EXPECT_THAT(Error({Kind::kBuiltIn, "hello"}), HasSubstr("hello is built in"));
}

TEST_F(RestartFlagsTest, WatchLooksWhereTheProgramRuns) {
  request_.watch = true;
  EXPECT_EQ(Plan({Kind::kProgram, "app.js", "/srv/web"}).watch.path, "/srv/web/");
  EXPECT_EQ(Plan({Kind::kProgram, "./app.js", "/srv/web"}).watch.path, "/srv/web/./");
  EXPECT_EQ(Plan({Kind::kProgram, "src/app.js", "web"}).watch.path, "web/src/");
  EXPECT_EQ(Plan({Kind::kProgram, "/opt/app/app.js", "/srv/web"}).watch.path, "/opt/app/");
}

// --- Errors ---

TEST_F(RestartFlagsTest, OutOfRange) {
  request_.restarts_max = 0;
  EXPECT_THAT(Error(), HasSubstr("--max-restarts=0 is out of range"));
  request_ = {};
  request_.restart_delay = absl::Hours(25);
  EXPECT_THAT(Error(), HasSubstr("--restart-delay=25h is out of range"));
  request_ = {};
  request_.backoff_first = absl::ZeroDuration();
  EXPECT_THAT(Error(), HasSubstr("--exp-backoff-restart-delay=0 is out of range"));
  request_ = {};
  request_.memory_max = 4096;
  EXPECT_THAT(Error(), HasSubstr("--max-memory-restart=4K is less than any program needs"));
  request_ = {};
  request_.requests_max = -1;
  EXPECT_THAT(Error(), HasSubstr("--max-requests=-1 is negative"));
  request_ = {};
  request_.cron = "61 * * * *";
  EXPECT_THAT(Error(), HasSubstr("--cron-restart: '61' is no minute"));
}

}  // namespace
}  // namespace uc::tools
