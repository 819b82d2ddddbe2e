#include "tools/verbs.h"

#include <signal.h>
#include <unistd.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/tools/fake_cluster.h"

namespace uc::tools {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;
using Json = nlohmann::json;

class VerbsTest : public testing::Test {
 protected:
  VerbsTest() { options_.base_directory = cluster_.base(); }

  // Runs the verb, keeps what it prints, and returns its exit code.
  int Run(const std::string& verb, const std::vector<std::string>& positionals = {}) {
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    const int exit_code = RunVerb(verb, positionals, options_);
    out_ = testing::internal::GetCapturedStdout();
    err_ = testing::internal::GetCapturedStderr();
    return exit_code;
  }
  int RunJson(const std::string& verb, const std::vector<std::string>& positionals = {}) {
    options_.json = true;
    return Run(verb, positionals);
  }
  void ExpectOneLine(const std::string& because) {
    EXPECT_THAT(out_, IsEmpty());
    EXPECT_THAT(err_, AllOf(StartsWith("uring-cluster: "), HasSubstr(because)));
    EXPECT_EQ(std::count(err_.begin(), err_.end(), '\n'), 1) << err_;
  }

  FakeCluster cluster_;
  VerbOptions options_;
  std::string out_;
  std::string err_;
};

// --- Commands -----------------------------------------------------------------------------------

TEST_F(VerbsTest, ExitCodeIsTheOutcome) {
  cluster_.Coordinate("done 4 workers\n");
  EXPECT_EQ(Run("scale", {"web", "4"}), 0);
  EXPECT_EQ(out_, "scale 4: 4 workers\n");
  EXPECT_THAT(err_, IsEmpty());
}

TEST_F(VerbsTest, FailedRollExitsWithOneAndTheReason) {
  cluster_.Coordinate("failed the successor died\n");
  EXPECT_EQ(Run("reload"), 1);
  ExpectOneLine("reload failed: the successor died");
}

TEST_F(VerbsTest, RefusedCommandExitsWithTwo) {
  cluster_.Coordinate("refused the cluster is stopping\n");
  EXPECT_EQ(Run("restart", {"web"}), 2);
  ExpectOneLine("restart refused: the cluster is stopping");
}

TEST_F(VerbsTest, ProgressGoesToStderrAndTheResultToStdout) {
  cluster_.Coordinate("progress slot 0 ready\ndone all\n");
  EXPECT_EQ(Run("reload"), 0);
  EXPECT_EQ(err_, "slot 0 ready\n");
  EXPECT_EQ(out_, "reload: all\n");
}

TEST_F(VerbsTest, JsonIsAllThatIsPrinted) {
  cluster_.Coordinate("progress slot 0 ready\nfailed \"why\"\n");
  EXPECT_EQ(RunJson("scale", {"+3"}), 1);
  EXPECT_THAT(err_, IsEmpty());
  EXPECT_EQ(Json::parse(out_),
            Json({{"command", "scale +3"}, {"outcome", "failed"}, {"text", "\"why\""}}));
}

TEST_F(VerbsTest, FlagsBecomeTheCommandsArgument) {
  cluster_.Coordinate("done COMMAND\n");
  options_.worker = 2;
  Run("restart");
  EXPECT_EQ(out_, "restart 2: restart 2\n");
  options_.worker = -1;
  options_.graceful = true;
  Run("scale", {"-1"});
  EXPECT_EQ(out_, "scale -1: scale -1\n");
}

TEST_F(VerbsTest, AnswerThatNeverComesThoughTheCoordinatorLivesIsSaid) {
  cluster_.Coordinate("");
  EXPECT_EQ(Run("ping"), 1);
  ExpectOneLine("closed the answer");
  EXPECT_EQ(RunJson("ping"), 1);
  EXPECT_EQ(Json::parse(out_)["outcome"], "failed");
}

// --- The operator's faults ------------------------------------------------------------------------

TEST_F(VerbsTest, ScaleWithASpaceBehindTheSignIsAClearError) {
  EXPECT_EQ(Run("scale", {"web", "+", "3"}), 2);
  ExpectOneLine("'scale NAME +3'");
}

TEST_F(VerbsTest, ScaleByWhatIsNoWholeNumberShowsTheForms) {
  for (const char* count : {"+", "-1.5", "many", ""}) {
    EXPECT_EQ(Run("scale", {"web", count}), 2) << count;
    ExpectOneLine("expected");
  }
  EXPECT_EQ(Run("scale"), 2);
  ExpectOneLine("needs a number");
}

TEST_F(VerbsTest, WorkerOutOfRangeRestartsNobody) {
  cluster_.Coordinate("done COMMAND\n");
  for (const int64_t worker : {-5, 1024}) {
    options_.worker = worker;
    EXPECT_EQ(Run("restart", {"web"}), 2);
    ExpectOneLine("is out of range: 0 to 1023");
  }
}

TEST_F(VerbsTest, UnknownClusterIsTheOperatorsFault) {
  for (const char* verb : {"scale", "reload", "restart", "stop", "ping", "describe", "list"}) {
    const std::vector<std::string> named = {"wbe"};
    EXPECT_EQ(std::string(verb) == "scale" ? Run(verb, {"wbe", "1"}) : Run(verb, named), 2);
    ExpectOneLine("no cluster 'wbe'");
  }
}

TEST_F(VerbsTest, TooManyNamesAndContradictionsAreRefused) {
  EXPECT_EQ(Run("stop", {"web", "api"}), 2);
  ExpectOneLine("stop takes one name");
  options_.graceful = options_.now = true;
  EXPECT_EQ(Run("stop", {"web"}), 2);
  ExpectOneLine("exclude each other");
}

TEST_F(VerbsTest, BaseThatIsNoDirectoryIsNotTakenForAnEmptyOne) {
  options_.base_directory = cluster_.directory() + "/lock/clusters";
  EXPECT_EQ(Run("list"), 2);
  ExpectOneLine("cannot be read");
}

// --- list and describe ------------------------------------------------------------------------------

TEST_F(VerbsTest, ListIsAnArrayWithAndWithoutAName) {
  cluster_.Worker(3);
  for (const std::vector<std::string>& names :
       {std::vector<std::string>{}, std::vector<std::string>{"web"}}) {
    EXPECT_EQ(RunJson("list", names), 0);
    const Json list = Json::parse(out_);
    ASSERT_TRUE(list.is_array());
    EXPECT_EQ(list.at(0).at("workers").at(0).at("slot"), 3);
  }
}

TEST_F(VerbsTest, DescribeIsOneObject) {
  EXPECT_EQ(RunJson("describe"), 0);
  EXPECT_EQ(Json::parse(out_).at("name"), "web");
}

TEST_F(VerbsTest, ObjectHasEveryFieldOfTheContract) {
  cluster_.Worker(0);
  RunJson("describe");
  const Json cluster = Json::parse(out_);
  for (const char* field : {"name", "app", "addresses", "running", "coordinator_pid",
                            "workers_wanted", "rolling", "stopping", "mode", "binary",
                            "command_line", "uptime_seconds", "events_ignored", "slots"}) {
    EXPECT_TRUE(cluster.contains(field)) << field;
  }
  for (const char* field :
       {"slot", "generation", "pid", "state", "state_seconds", "uptime_seconds", "heartbeat_age_ms",
        "connections", "in_flight", "idle", "requests", "bytes_in", "bytes_out"}) {
    EXPECT_TRUE(cluster["workers"][0].contains(field)) << field;
  }
  for (const char* field : {"accepted", "closed", "requests", "bytes_in", "bytes_out",
                            "responses_5xx", "bad_requests", "accept_errors"}) {
    EXPECT_TRUE(cluster["totals"].contains(field)) << field;
  }
  for (const char* field : {"p50", "p90", "p99", "p999"}) {
    EXPECT_TRUE(cluster["totals"]["latency_us"].contains(field)) << field;
  }
}

TEST_F(VerbsTest, UnreadableScoreboardCostsItsOwnLineOnly) {
  cluster_.MakeUnreadable("broken");
  EXPECT_EQ(Run("list"), 0);
  EXPECT_THAT(out_, HasSubstr("web "));
  EXPECT_THAT(err_, HasSubstr("broken/scoreboard: is not a scoreboard"));
}

TEST_F(VerbsTest, DeadCoordinatorIsShownAsGoneAndALivingOneIsNot) {
  Run("list");
  EXPECT_THAT(out_, HasSubstr("gone"));
  Run("describe");
  EXPECT_THAT(out_, HasSubstr("gone; was pid"));
  cluster_.Coordinate("done\n");
  Run("list");
  EXPECT_THAT(out_, HasSubstr("running"));
}

TEST_F(VerbsTest, NoClustersIsNoError) {
  std::filesystem::remove_all(cluster_.directory());
  EXPECT_EQ(Run("list"), 0);
  EXPECT_THAT(out_, StartsWith("no clusters in "));
  EXPECT_EQ(RunJson("list"), 0);
  EXPECT_EQ(Json::parse(out_), Json::array());
}

// --- The coordinator is gone --------------------------------------------------------------------------

TEST_F(VerbsTest, CommandForADeadCoordinatorSaysWhoStillServesAndTheCure) {
  cluster_.Worker(0);
  cluster_.Worker(1);
  EXPECT_EQ(Run("scale", {"web", "3"}), 1);
  ExpectOneLine(
      "2 of its workers still serve; 'uring-cluster start' with the same flags takes them "
      "over, 'uring-cluster stop web' ends them");
}

TEST_F(VerbsTest, StopEndsWhatADeadCoordinatorLeft) {
  const pid_t worker = cluster_.Worker(0);
  EXPECT_EQ(Run("stop", {"web"}), 0);
  EXPECT_EQ(out_, "stop: the coordinator was gone; ended 1 worker\n");
  EXPECT_EQ(cluster_.EndedBy(worker), SIGTERM);
  EXPECT_NE(access(cluster_.directory().c_str(), F_OK), 0);
}

TEST_F(VerbsTest, StopNowKillsWhatADeadCoordinatorLeft) {
  const pid_t worker = cluster_.Worker(0, {.term = FakeCluster::Term::kIgnored});
  options_.now = true;
  EXPECT_EQ(Run("stop"), 0);
  EXPECT_THAT(out_, HasSubstr("ended 1 worker, 1 of them by SIGKILL"));
  EXPECT_EQ(cluster_.EndedBy(worker), SIGKILL);
}

TEST_F(VerbsTest, StopSparesTheNamesakeThatGotADeadWorkersNumber) {
  const pid_t namesake = cluster_.Worker(0, {.door = FakeCluster::Door::kNone});
  EXPECT_EQ(Run("stop"), 0);
  EXPECT_THAT(out_, HasSubstr("ended 0 workers"));
  EXPECT_EQ(cluster_.EndedBy(namesake), 0);
}

TEST_F(VerbsTest, WhatCannotBeReadIsNotCalledStoppedAndStopEndsIt) {
  const pid_t worker = cluster_.Worker(0);
  cluster_.MakeUnreadable("web");
  Run("list");
  EXPECT_THAT(err_, HasSubstr("1 worker still serves: 'uring-cluster stop web' ends it"));
  EXPECT_EQ(Run("describe", {"web"}), 1);
  EXPECT_THAT(err_, HasSubstr("1 worker still serves"));
  EXPECT_EQ(Run("stop", {"web"}), 0);
  EXPECT_THAT(out_, HasSubstr("ended 1 worker"));
  EXPECT_EQ(cluster_.EndedBy(worker), SIGTERM);
}

}  // namespace
}  // namespace uc::tools
