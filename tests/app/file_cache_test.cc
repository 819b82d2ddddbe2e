#include "core/app/file_cache.h"

#include <fcntl.h>

#include <filesystem>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/base/fd.h"
#include "gtest/gtest.h"
#include "tests/app/tree.h"

namespace uc::app {
namespace {

class FileCacheTest : public testing::Test {
 protected:
  FileCacheTest() : root_(open(tree_.root().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)) {}

  // Reads the file as if it had last been changed so long ago.
  void Keep(const std::string& name, absl::Duration age = absl::Seconds(5)) {
    const Fd fd(open(tree_.Path(name).c_str(), O_RDONLY | O_CLOEXEC));
    cache_.Keep(name, fd.get(), "\"tag\"", absl::Now() + age);
  }
  std::string Find(const std::string& name) {
    const FileCache::File* file = cache_.Find(root_.get(), name);
    return file == nullptr ? "not kept" : file->bytes;
  }

  Tree tree_;
  const Fd root_;
  FileCache cache_;
};

TEST_F(FileCacheTest, AFileIsKeptWithItsTag) {
  tree_.Write("a", "text");
  EXPECT_EQ(Find("a"), "not kept");
  Keep("a");
  EXPECT_EQ(Find("a"), "text");
  EXPECT_EQ(cache_.Find(root_.get(), "a")->etag, "\"tag\"");
}

TEST_F(FileCacheTest, AChangedFileIsNotFound) {
  tree_.Write("a", "text");
  Keep("a");
  tree_.Write("a", "longer text");
  EXPECT_EQ(Find("a"), "not kept");
  Keep("a");
  EXPECT_EQ(Find("a"), "longer text");
}

TEST_F(FileCacheTest, AReplacedFileIsNotFound) {
  tree_.Write("a", "old!");
  Keep("a");
  tree_.Write("b", "new!");
  std::filesystem::rename(tree_.Path("b"), tree_.Path("a"));
  EXPECT_EQ(Find("a"), "not kept");
}

TEST_F(FileCacheTest, ALinkThatLeadsElsewhereByNowIsNotFound) {
  tree_.Write("a", "here");
  tree_.Write("b", "else");
  tree_.Link("link", "a");
  Keep("link");
  EXPECT_EQ(Find("link"), "here");
  std::filesystem::remove(tree_.Path("link"));
  tree_.Link("link", "b");
  EXPECT_EQ(Find("link"), "not kept");
}

TEST_F(FileCacheTest, ARemovedOrForbiddenFileIsNotFound) {
  tree_.Write("a", "text");
  tree_.Write("b", "text");
  Keep("a");
  Keep("b");
  std::filesystem::remove(tree_.Path("a"));
  EXPECT_EQ(Find("a"), "not kept");
  std::filesystem::permissions(tree_.Path("b"), std::filesystem::perms::none);
  EXPECT_EQ(Find("b"), "not kept");
}

TEST_F(FileCacheTest, WhatWasChangedJustNowIsNotKeptYet) {
  tree_.Write("a", "text");
  Keep("a", absl::ZeroDuration());
  EXPECT_EQ(Find("a"), "not kept");
}

TEST_F(FileCacheTest, LargeAndEmptyFilesAreNotKept) {
  tree_.Write("most", std::string(32 * 1024, 'x'));
  tree_.Write("more", std::string(32 * 1024 + 1, 'x'));
  tree_.Write("none", "");
  for (const char* name : {"most", "more", "none"}) Keep(name);
  EXPECT_EQ(Find("most").size(), 32u * 1024);
  EXPECT_EQ(Find("more"), "not kept");
  EXPECT_EQ(Find("none"), "not kept");
}

TEST_F(FileCacheTest, ItsMemoryIsBounded) {
  for (int i = 0; i < 300; ++i) {
    const std::string name = absl::StrCat("file", i);
    tree_.Write(name, std::string(32 * 1024, 'x'));
    Keep(name);
  }
  int kept = 0;
  for (int i = 0; i < 300; ++i) kept += Find(absl::StrCat("file", i)) == "not kept" ? 0 : 1;
  EXPECT_LE(kept, 256);
  EXPECT_EQ(Find("file299").size(), 32u * 1024) << "the newest is there";
}

}  // namespace
}  // namespace uc::app
