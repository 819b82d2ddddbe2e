// What becomes of the words of `start` when a cluster is saved, started again, or made a service; and other small
// decisions of the command line that need no process.
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "core/scoreboard/histogram.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tools/inspect.h"
#include "tools/lifecycle.h"
#include "tools/monit/frame.h"
#include "tools/nearest.h"
#include "tools/record.h"
#include "tools/startup.h"
#include "tools/text_file.h"

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
  for (const char* text : {"", "{", "[]", "{}", R"({"version": 2})", R"({"version": 1, "name": 3})",
                           R"({"version": 1e999})"}) {
    EXPECT_FALSE(ParseRecord(text).ok()) << text;
  }
  for (const char* open : {"[", "{\"version\":"}) {
    std::string deep;
    for (int level = 0; level < 1'000'000; ++level) deep += open;
    EXPECT_FALSE(ParseRecord(deep).ok());
  }
}

TEST(RecordTest, ValuesThatCannotBeAreNone) {
  const std::string good = ToJson(Web());
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string text = good;
    EXPECT_NE(text.find(from), std::string::npos) << from;
    return ParseRecord(text.replace(text.find(from), from.size(), to)).ok();
  };
  EXPECT_TRUE(with("\"size_max\": 0", "\"size_max\": 7"));
  for (const char* number : {"1e300", "-1", "\"7\"", "18446744073709551615"}) {
    EXPECT_FALSE(with("\"size_max\": 0", absl::StrCat("\"size_max\": ", number))) << number;
  }
  EXPECT_FALSE(with("\"files\": 0", "\"files\": 4294967296"));
  EXPECT_FALSE(with("\"web\"", "\"../web\""));
  EXPECT_FALSE(with("/srv/my www", "/srv/my\\u0000www"));
}

std::string Unit(const ClusterRecord& record, const std::string& binary = "/b",
                 UnitKind kind = UnitKind::kUser) {
  const absl::StatusOr<std::string> unit = UnitText(record, binary, kind);
  EXPECT_TRUE(unit.ok()) << unit.status();
  return unit.value_or("");
}

TEST(StartupTest, UnitRunsTheSameWordsInTheForeground) {
  const std::string unit = Unit(Web(), "/usr/bin/uring-cluster", UnitKind::kSystem);
  EXPECT_THAT(unit, HasSubstr("Type=notify\nWorkingDirectory=/srv\nEnvironment=\"PATH=/bin\"\n"));
  EXPECT_THAT(unit, HasSubstr("ExecStart=\"/usr/bin/uring-cluster\" start \"static\" \"/srv/my "
                              "www\" \"--name=web\"\n"));
  EXPECT_THAT(unit, HasSubstr("reload web\n"));
  EXPECT_THAT(unit, HasSubstr("KillMode=process\n"));
  EXPECT_THAT(unit, Not(HasSubstr("SECRET")));
  EXPECT_THAT(Unit(Web()), Not(HasSubstr("AmbientCapabilities")));
}

TEST(StartupTest, PathOfTheProgramGoesAlong) {
  ClusterRecord record = Web();
  record.program_environment = {"PATH=/opt/bin", "SECRET=2"};
  const std::string unit = Unit(record);
  EXPECT_THAT(unit, HasSubstr("Environment=\"URING_CLUSTER_ENV_PATH=/opt/bin\"\n"));
  EXPECT_THAT(unit, Not(HasSubstr("SECRET")));
}

TEST(StartupTest, WhatSystemdWouldExpandIsQuoted) {
  ClusterRecord record = Web();
  record.words = {"a", "100%", "$x", "\"q\"\\", "two\nlines", "\xc3\xa9", ";", ""};
  EXPECT_THAT(Unit(record), HasSubstr(R"(start "a" "100%%" "$$x" "\"q\"\\" "two\x0alines" )"
                                      R"("\xc3\xa9" ";" "")"
                                      "\n"));
}

TEST(StartupTest, ValuesThatAreNoCommandsKeepTheirDollars) {
  ClusterRecord record = Web();
  record.environment = {"PATH=/$a/50%off:/\"b\""};
  EXPECT_THAT(Unit(record), HasSubstr(R"(Environment="PATH=/$a/50%%off:/\"b\"")"));
  EXPECT_THAT(Unit(record, "/opt/$x/50%"), HasSubstr(R"(ExecStart="/opt/$x/50%%" start)"));
  EXPECT_THAT(Unit(record, "/opt/$x/50%"), HasSubstr(R"(ExecReload="/opt/$x/50%%" reload)"));
}

TEST(StartupTest, FolderIsNoSpecifier) {
  ClusterRecord record = Web();
  record.directory = "/srv/50%off and \"more\" $x";
  EXPECT_THAT(Unit(record),
              HasSubstr("WorkingDirectory=/srv/50%%off and \"more\" $x\nEnvironment="));
}

TEST(StartupTest, RunDirectoryOfTheReloadIsQuotedToo) {
  ClusterRecord record = Web();
  record.words = {"hello", "--run-dir=/run/50% $x"};
  EXPECT_THAT(Unit(record), HasSubstr(R"(reload web "--run-dir=/run/50%% $$x")"));
}

// --- Errors ---

TEST(StartupTest, WhatCannotBeWrittenIsRefused) {
  for (const char* directory :
       {"", "srv", "/srv/a\nUser=root", "/srv/a\\", "/srv/a ", "/srv/../etc", "/srv/\t"}) {
    ClusterRecord record = Web();
    record.directory = directory;
    EXPECT_FALSE(UnitText(record, "/b", UnitKind::kUser).ok()) << directory;
  }
  for (const char* binary : {"/b\nUser=root", "/\"b\"", "/b\\", "/it's"}) {
    EXPECT_FALSE(UnitText(Web(), binary, UnitKind::kUser).ok()) << binary;
  }
  ClusterRecord record = Web();
  record.environment = {"PATH=/bin\nUser=root"};
  EXPECT_FALSE(UnitText(record, "/b", UnitKind::kUser).ok());
  record = Web();
  record.name = "web\nUser=root";
  EXPECT_FALSE(UnitText(record, "/b", UnitKind::kUser).ok());
}

// systemd's own reading, where it is installed.
TEST(StartupTest, SystemdTakesTheUnit) {
  if (system("command -v systemd-analyze > /dev/null") != 0 || geteuid() != 0) {
    GTEST_SKIP() << "no systemd-analyze, or not root";
  }
  ClusterRecord record = Web();
  record.words = {"a", "100%", "$x", "\"q\"\\", "two\nlines", "\xc3\xa9", ";", "%o"};
  record.environment = {"PATH=/$a/50%off:/\"b\""};
  record.directory = ::testing::TempDir() + "50%off \"$x\"";
  const std::string unit = ::testing::TempDir() + "uring-cluster-web.service";
  ASSERT_TRUE(ReplaceTextFile(unit, Unit(record, "/bin/true", UnitKind::kSystem)).ok());
  const std::string said = ::testing::TempDir() + "said";
  const int status = system(("systemd-analyze verify " + unit + " > " + said + " 2>&1").c_str());
  const absl::StatusOr<std::string> text = ReadTextFile(said, 1 << 20);
  ASSERT_TRUE(text.ok());
  EXPECT_EQ(status, 0) << *text;
  EXPECT_THAT(*text, Not(HasSubstr("uring-cluster-web.service:")));
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
