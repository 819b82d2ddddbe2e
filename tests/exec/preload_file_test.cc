#include "core/exec/preload_file.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <sstream>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace uc::exec {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

class PreloadFileTest : public testing::Test {
 protected:
  PreloadFileTest() {
    char path[] = "/tmp/uc-preload-XXXXXX";
    folder_ = mkdtemp(path);
  }
  ~PreloadFileTest() override { EXPECT_EQ(system(("rm -rf " + folder_).c_str()), 0); }

  std::string Place() {
    const absl::StatusOr<std::string> path = PlacePreload({folder_});
    EXPECT_TRUE(path.ok()) << path.status();
    return path.value_or("");
  }
  static std::string ReadAll(const std::string& path) {
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
  }

  std::string folder_;
};

TEST_F(PreloadFileTest, FileIsTheImageForEverybodyToReadAndNobodyToWrite) {
  const std::string path = Place();
  EXPECT_THAT(path, StartsWith(folder_));
  EXPECT_EQ(ReadAll(path), PreloadImage());
  struct stat entry;
  ASSERT_EQ(stat(path.c_str(), &entry), 0);
  EXPECT_EQ(entry.st_mode & 0777, 0644u);
}

TEST_F(PreloadFileTest, SecondTimeItIsThereAlready) {
  const std::string path = Place();
  struct stat before, after;
  stat(path.c_str(), &before);
  EXPECT_EQ(Place(), path);
  stat(path.c_str(), &after);
  EXPECT_EQ(before.st_ino, after.st_ino);
}

TEST_F(PreloadFileTest, DamagedFileIsReplaced) {
  const std::string path = Place();
  std::ofstream(path) << "garbage";
  EXPECT_EQ(ReadAll(Place()), PreloadImage());
}

TEST_F(PreloadFileTest, LibraryLoads) {
  EXPECT_NE(dlopen(Place().c_str(), RTLD_NOW | RTLD_LOCAL), nullptr) << dlerror();
}

// --- Errors ---

TEST_F(PreloadFileTest, FolderThatOthersMayWriteToIsNotTrusted) {
  ASSERT_EQ(chmod(folder_.c_str(), 0777), 0);
  const std::string own = folder_ + "/uring-cluster-lib-" + std::to_string(geteuid());
  ASSERT_EQ(mkdir(own.c_str(), 0777), 0);
  ASSERT_EQ(chmod(own.c_str(), 0777), 0);
  EXPECT_FALSE(PlacePreload({folder_}).ok());
}

TEST_F(PreloadFileTest, NextFolderIsTakenAndNoneIsAnError) {
  EXPECT_TRUE(PlacePreload({"/proc", folder_}).ok());
  const absl::Status status = PlacePreload({"/proc", "/no/such/folder"}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("/proc, /no/such/folder"));
}

}  // namespace
}  // namespace uc::exec
