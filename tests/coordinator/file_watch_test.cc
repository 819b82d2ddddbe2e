#include "core/coordinator/file_watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>

namespace uc::coordinator {
namespace {

using ::testing::HasSubstr;

class FileWatchTest : public ::testing::Test {
 protected:
  FileWatchTest() {
    std::string name = testing::TempDir() + "file_watch.XXXXXX";
    root_ = mkdtemp(name.data());
    std::filesystem::create_directories(root_ + "/src/deep");
    std::filesystem::create_directories(root_ + "/node_modules/x");
    Write("app.so");
  }
  ~FileWatchTest() override { std::filesystem::remove_all(root_); }

  void Write(const std::string& name) { std::ofstream(root_ + "/" + name) << "x"; }
  void Begin(const std::string& below, std::vector<std::string> ignored = {}) {
    absl::StatusOr<FileWatch> watch =
        FileWatch::Begin({root_ + below, std::move(ignored), absl::Milliseconds(200)});
    ASSERT_TRUE(watch.ok()) << watch.status();
    watch_.emplace(*std::move(watch));
  }
  // What has changed, when it has come to rest; "": nothing.
  std::string Changed() {
    watch_->OnReadable(now_);
    return watch_->due() == absl::InfiniteFuture() ? "" : watch_->Take();
  }

  std::string root_;
  absl::Time now_ = absl::FromUnixSeconds(1000);
  std::optional<FileWatch> watch_;
};

TEST_F(FileWatchTest, SeesChangesAtAnyDepth) {
  Begin("/");
  EXPECT_EQ(Changed(), "");
  Write("index.js");
  EXPECT_EQ(Changed(), "index.js");
  Write("src/deep/part.js");
  EXPECT_EQ(Changed(), "src/deep/part.js");
  std::filesystem::remove(root_ + "/src/deep/part.js");
  EXPECT_EQ(Changed(), "src/deep/part.js");
}

TEST_F(FileWatchTest, SeesWhatIsPutInPlace) {
  Write("new");
  Begin("/app.so");
  std::filesystem::rename(root_ + "/new", root_ + "/app.so");
  EXPECT_EQ(Changed(), "app.so");
  Write("other.so");
  EXPECT_EQ(Changed(), "");
}

TEST_F(FileWatchTest, NewDirectoriesAreWatchedAsWell) {
  Begin("/");
  std::filesystem::create_directory(root_ + "/lib");
  EXPECT_EQ(Changed(), "lib");
  Write("lib/part.js");
  EXPECT_EQ(Changed(), "lib/part.js");
}

TEST_F(FileWatchTest, SomeNamesAreLeftAlone) {
  Begin("/", {"*.log", "src/deep", "tmp/"});
  Write(".hidden");
  Write("node_modules/x/part.js");
  Write("out.log");
  Write("src/noise.log");
  Write("src/deep/part.js");
  std::filesystem::create_directory(root_ + "/tmp");
  Write("tmp/part.js");
  EXPECT_EQ(Changed(), "");
}

TEST_F(FileWatchTest, WaitsForARest) {
  Begin("/");
  Write("index.js");
  watch_->OnReadable(now_);
  EXPECT_EQ(watch_->due(), now_ + absl::Milliseconds(200));
  now_ += absl::Milliseconds(150);
  Write("index.js");
  watch_->OnReadable(now_);
  EXPECT_EQ(watch_->due(), now_ + absl::Milliseconds(200));
}

TEST_F(FileWatchTest, RestlessFilesDoNotPutItOffForEver) {
  Begin("/");
  const absl::Time begin = now_;
  for (int change = 0; change < 30; ++change) {
    Write("index.js");
    watch_->OnReadable(now_);
    now_ += absl::Milliseconds(150);
  }
  EXPECT_EQ(watch_->due(), begin + absl::Seconds(2));
}

// --- Errors ---

TEST_F(FileWatchTest, PathThatIsNotThere) {
  const absl::StatusOr<FileWatch> watch = FileWatch::Begin({root_ + "/nothing", {}, {}});
  EXPECT_EQ(watch.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(watch.status().message()), HasSubstr("No such file"));
}

TEST_F(FileWatchTest, UsedUpInstancesAreNamedWithTheCure) {
  // The kernel says EMFILE for the process's descriptors as for the user's instances.
  rlimit before;
  getrlimit(RLIMIT_NOFILE, &before);
  rlimit none = before;
  none.rlim_cur = 0;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  const absl::StatusOr<FileWatch> watch = FileWatch::Begin({root_, {}, absl::Milliseconds(200)});
  setrlimit(RLIMIT_NOFILE, &before);
  EXPECT_TRUE(absl::IsFailedPrecondition(watch.status())) << watch.status();
  EXPECT_THAT(std::string(watch.status().message()),
              HasSubstr("(raise fs.inotify.max_user_instances, or ulimit -n)"));
}

}  // namespace
}  // namespace uc::coordinator
