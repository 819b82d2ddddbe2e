#include "tools/logs/log_plan.h"

#include <sys/stat.h>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/tools/logs/folder.h"

namespace uc::tools {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

LogPlan Plan(const LogRequest& request, Ground ground = Ground::kBackground) {
  const auto plan = MakeLogPlan(request, "web", ground, "/logs");
  EXPECT_TRUE(plan.ok()) << plan.status();
  return *plan;
}

TEST(LogPlanTest, BackgroundHasAFileForEachStreamOfEachSlot) {
  const LogPlan plan = Plan({});
  EXPECT_EQ(PathOf(plan, Stream::kOut, 3), "/logs/web-out-3.log");
  EXPECT_EQ(PathOf(plan, Stream::kErr, 0), "/logs/web-error-0.log");
}

TEST(LogPlanTest, NamedFilesGetTheSlotBeforeTheirEnding) {
  LogRequest request;
  request.out_file = "/var/log/a.b/web.log";
  request.error_file = "/var/log/a.b/web";
  EXPECT_EQ(PathOf(Plan(request), Stream::kOut, 3), "/var/log/a.b/web-3.log");
  EXPECT_EQ(PathOf(Plan(request), Stream::kErr, 3), "/var/log/a.b/web-3");
  request.merge = true;
  EXPECT_EQ(PathOf(Plan(request), Stream::kOut, 3), "/var/log/a.b/web.log");
}

TEST(LogPlanTest, DevicesStayWhatTheyAre) {
  LogRequest request;
  request.out_file = "/dev/null";
  EXPECT_EQ(PathOf(Plan(request), Stream::kOut, 3), "/dev/null");
}

TEST(LogPlanTest, OwnStreamsAreNoFiles) {
  LogRequest request;
  request.out_file = "/dev/stdout";
  request.error_file = "/dev/stderr";
  EXPECT_TRUE(CheckWritable(Plan(request)).ok());
  EXPECT_EQ(OwnStreamAt(PathOf(Plan(request), Stream::kOut, 0)), OwnStream::kOut);
  EXPECT_EQ(OwnStreamAt(PathOf(Plan(request), Stream::kErr, 0)), OwnStream::kErr);
  EXPECT_EQ(OwnStreamAt("/dev/null"), OwnStream::kNone);
}

TEST(LogPlanTest, ForegroundIsCapturedOnlyForAReason) {
  LogRequest request;
  EXPECT_FALSE(IsCaptured(request, Ground::kForeground));
  EXPECT_TRUE(IsCaptured(request, Ground::kBackground));
  request.prefix = true;
  EXPECT_TRUE(IsCaptured(request, Ground::kForeground));
  EXPECT_EQ(PathOf(Plan(request, Ground::kForeground), Stream::kOut, 0), "");
}

TEST(LogPlanTest, FindsTheFilesThatAreThere) {
  const Folder folder;
  for (const char* name : {"web-out-10.log", "web-out-2.log", "web-out-2.log.1", "web-error-2.log",
                           "web-out-x.log", "web-out.log", "webs-out-1.log"}) {
    folder.Write(name, "");
  }
  const auto plan = MakeLogPlan({}, "web", Ground::kBackground, folder.root());
  ASSERT_TRUE(plan.ok());
  std::vector<std::string> names;
  for (const LogFile& file : FindLogFiles(*plan)) {
    names.push_back(file.path.substr(folder.root().size() + 1));
  }
  EXPECT_THAT(names, ElementsAre("web-out-2.log", "web-error-2.log", "web-out-10.log"));
}

TEST(LogPlanTest, MissingDirectoriesAreMade) {
  const Folder folder;
  const auto plan = MakeLogPlan({}, "web", Ground::kBackground, folder.Path("a/b"));
  ASSERT_TRUE(plan.ok());
  EXPECT_TRUE(CheckWritable(*plan).ok());
  struct stat status;
  EXPECT_EQ(stat(folder.Path("a/b/web-out-0.log").c_str(), &status), 0);
}

// --- Errors ---

TEST(LogPlanTest, UnusableFileIsNamed) {
  LogRequest request;
  request.error_file = "/proc/nowhere/log";
  const absl::Status status = CheckWritable(Plan(request, Ground::kForeground));
  EXPECT_THAT(std::string(status.message()), HasSubstr("--error-file=/proc/nowhere/log"));
}

TEST(LogPlanTest, LimitsAreChecked) {
  LogRequest request;
  request.size_max = 100;
  EXPECT_THAT(std::string(MakeLogPlan(request, "web", Ground::kBackground, "/").status().message()),
              HasSubstr("--log-max-size=100"));
  request = {};
  request.files = -1;
  EXPECT_THAT(std::string(MakeLogPlan(request, "web", Ground::kBackground, "/").status().message()),
              HasSubstr("--log-files=-1"));
}

}  // namespace
}  // namespace uc::tools
