// What becomes of the words of `start` when a cluster is saved, started again, or made a service; and other small
// decisions of the command line that need no process.
#include <signal.h>

#include "core/scoreboard/histogram.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tools/inspect.h"
#include "tools/lifecycle.h"
#include "tools/monit/frame.h"
#include "tools/nearest.h"
#include "tools/record.h"
#include "tools/startup.h"

namespace uc::tools {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

TEST(WordsTest, NumberOfWorkersIsReplacedHoweverItWasGiven) {
  for (const std::vector<std::string>& given : std::vector<std::vector<std::string>>{
           {"-i", "2"}, {"-i2"}, {"--i=2"}, {"--workers", "2"}, {"--workers=2"}, {}}) {
    std::vector<std::string> words = {"hello"};
    words.insert(words.end(), given.begin(), given.end());
    words.insert(words.end(), {"--name=a", "--", "-i", "7"});
    EXPECT_THAT(WithWorkers(words, 3),
                ElementsAre("hello", "--name=a", "--workers=3", "--", "-i", "7"));
  }
}

TEST(WordsTest, WhereAndHowIsNotPartOfWhat) {
  EXPECT_THAT(OwnWords({"--run-dir=/a", "hello", "--daemon", "--run-dir", "/b", "--", "--daemon"}),
              ElementsAre("hello", "--", "--daemon"));
}

TEST(WordsTest, NearestVerb) {
  const std::set<std::string> verbs = {"start", "stop", "restart", "i"};
  EXPECT_EQ(Nearest("strat", verbs), "start");
  EXPECT_EQ(Nearest("stp", verbs), "stop");
  EXPECT_EQ(Nearest("frobnicate", verbs), "");
}

TEST(WordsTest, SignalsByNameAndNumber) {
  EXPECT_EQ(SignalNumber("SIGUSR2"), SIGUSR2);
  EXPECT_EQ(SignalNumber("usr2"), SIGUSR2);
  EXPECT_EQ(SignalNumber("15"), SIGTERM);
  EXPECT_EQ(SignalNumber("SIGFOO"), 0);
  EXPECT_EQ(SignalNumber("0"), 0);
  EXPECT_EQ(SignalNumber(""), 0);
}

ClusterRecord Web() {
  ClusterRecord record;
  record.name = "web";
  record.words = {"static", "/srv/my www", "--name=web", "--daemon"};
  record.directory = "/srv";
  record.environment = {"PATH=/bin", "SECRET=1"};
  record.background = true;
  record.captured = true;
  record.logs.out_file = "/o.log";
  record.logs.merged = true;
  return record;
}

TEST(RecordTest, ComesBackAsItWas) {
  const auto record = ParseRecord(ToJson(Web()));
  ASSERT_TRUE(record.ok()) << record.status();
  EXPECT_EQ(ToJson(*record), ToJson(Web()));
  EXPECT_EQ(record->logs.name, "web");
}

TEST(RecordTest, AnyBytesComeBackAsTheyWere) {
  ClusterRecord record = Web();
  record.words = {"app.py", "--env=A=one\ntwo", "--env=B=caf\xe9"};
  record.directory = "/srv/caf\xe9";
  record.environment = {"A=caf\xc3\xa9", "B=caf\xe9", "C=\n\t\x01"};
  record.program_environment = {"D=caf\xe9\n", "E={\"hex\": \"00\"}"};
  record.logs.error_file = "/var/log/caf\xe9";
  const auto read = ParseRecord(ToJson(record));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->words, record.words);
  EXPECT_EQ(read->directory, record.directory);
  EXPECT_EQ(read->environment, record.environment);
  EXPECT_EQ(read->program_environment, record.program_environment);
  EXPECT_EQ(read->logs.error_file, record.logs.error_file);
}

TEST(RecordTest, RecordOfAnOlderVersionHasNoEnvironmentOfTheProgram) {
  std::string text = ToJson(Web());
  const size_t begin = text.find("  \"program_environment\"");
  ASSERT_NE(begin, std::string::npos);
  text.erase(begin, text.find('\n', begin) + 1 - begin);
  ASSERT_TRUE(ParseRecord(text).ok());
  EXPECT_TRUE(ParseRecord(text)->program_environment.empty());
}

TEST(RecordTest, OtherTextIsNone) {
  for (const char* text :
       {"", "{", "[]", "{}", R"({"version": 2})", R"({"version": 1, "name": 3})"}) {
    EXPECT_FALSE(ParseRecord(text).ok()) << text;
  }
}

TEST(StartupTest, UnitRunsTheSameWordsInTheForeground) {
  const std::string unit = UnitText(Web(), "/usr/bin/uring-cluster", UnitKind::kSystem);
  EXPECT_THAT(unit, HasSubstr("Type=notify\nWorkingDirectory=/srv\nEnvironment=\"PATH=/bin\"\n"));
  EXPECT_THAT(unit, HasSubstr("ExecStart=\"/usr/bin/uring-cluster\" start \"static\" \"/srv/my "
                              "www\" \"--name=web\"\n"));
  EXPECT_THAT(unit, HasSubstr("reload web\n"));
  EXPECT_THAT(unit, HasSubstr("KillMode=process\n"));
  EXPECT_THAT(unit, Not(HasSubstr("SECRET")));
  EXPECT_THAT(UnitText(Web(), "/b", UnitKind::kUser), Not(HasSubstr("AmbientCapabilities")));
}

TEST(StartupTest, PathOfTheProgramGoesAlong) {
  ClusterRecord record = Web();
  record.program_environment = {"PATH=/opt/bin", "SECRET=2"};
  const std::string unit = UnitText(record, "/b", UnitKind::kUser);
  EXPECT_THAT(unit, HasSubstr("Environment=\"URING_CLUSTER_ENV_PATH=/opt/bin\"\n"));
  EXPECT_THAT(unit, Not(HasSubstr("SECRET")));
}

TEST(StartupTest, WhatSystemdWouldExpandIsQuoted) {
  ClusterRecord record = Web();
  record.words = {"a", "100%", "$x", "\"q\"\\"};
  EXPECT_THAT(UnitText(record, "/b", UnitKind::kUser), HasSubstr(R"("a" "100%%" "$$x" "\"q\"\\")"));
}

TEST(FrameTest, RatesAreBetweenTwoLooks) {
  Look before;
  before.at = absl::UnixEpoch();
  ClusterView view;
  view.name = "web";
  view.running = true;
  view.workers_wanted = 1;
  WorkerView worker;
  worker.generation = 1;
  worker.pid = 7;
  worker.state = "serving";
  view.workers = {worker};
  before.clusters = {view};
  before.processes[7] = {absl::Seconds(1), 1 << 20};
  Look now = before;
  now.at = before.at + absl::Seconds(2);
  now.clusters[0].workers[0].totals.requests = 100;
  now.processes[7].cpu = absl::Seconds(2);
  const std::string frame = Frame(before, now, 10);
  EXPECT_THAT(frame, HasSubstr("web  running  1 workers  50 req/s  50.0% cpu"));
  EXPECT_THAT(FrameJson(before, now), HasSubstr("\"requests_per_second\":50.0"));
  EXPECT_EQ(Frame(before, now, 1), "... and 2 more lines\n");
}

TEST(FrameTest, NewWorkersHaveNoRateYet) {
  Look now;
  ClusterView view;
  view.workers.emplace_back();
  view.workers[0].totals.requests = 1000;
  now.clusters = {view};
  EXPECT_THAT(Frame({}, now, 10), HasSubstr(" 0 req/s"));
  EXPECT_EQ(Frame({}, {}, 10), "no clusters\n");
}

TEST(FrameTest, OfProgramsNoRequestsAreMadeUp) {
  Look now;
  ClusterView view;
  view.program = true;
  view.workers.emplace_back();
  now.clusters = {view};
  const std::string frame = Frame({}, now, 10);
  EXPECT_THAT(frame, HasSubstr(" - req/s"));
  EXPECT_THAT(frame, HasSubstr(" - p99"));
}

TEST(ShownLatencyTest, WhatIsBelowAMicrosecondIsNotZero) {
  scoreboard::Totals totals;
  totals.latency.resize(scoreboard::kLatencyBuckets);
  EXPECT_EQ(ShownLatency(totals, 0.5), "-");
  totals.requests = 1;
  totals.latency[scoreboard::BucketOf(0)] = 1;
  EXPECT_EQ(ShownLatency(totals, 0.5), "<1us");
  totals.latency[scoreboard::BucketOf(0)] = 0;
  totals.latency[scoreboard::BucketOf(12)] = 1;
  EXPECT_EQ(ShownLatency(totals, 0.5), "12us");
}

}  // namespace
}  // namespace uc::tools
