#include "tools/logs/last_lines.h"

#include <stdio.h>
#include <unistd.h>

#include <cstdint>
#include <fstream>
#include <string>

#include "gtest/gtest.h"
#include "tests/tools/logs/folder.h"

namespace uc::tools {
namespace {

std::string LastLines(const std::string& path, size_t count) {
  return Follower(path).LastLines(count);
}

TEST(LastLinesTest, OfOneFile) {
  const Folder folder;
  folder.Write("log", "a\nb\n\nc\n");
  EXPECT_EQ(LastLines(folder.Path("log"), 2), "\nc\n");
  EXPECT_EQ(LastLines(folder.Path("log"), 9), "a\nb\n\nc\n");
  EXPECT_EQ(LastLines(folder.Path("log"), 0), "");
  folder.Write("log", "torn");
  EXPECT_EQ(LastLines(folder.Path("log"), 2), "c\ntorn");
}

TEST(LastLinesTest, OldFilesFillUp) {
  const Folder folder;
  folder.Write("log.2", "a\nb\n");
  folder.Write("log.1", "c\n");
  folder.Write("log", "d\n");
  EXPECT_EQ(LastLines(folder.Path("log"), 3), "b\nc\nd\n");
  EXPECT_EQ(LastLines(folder.Path("log"), 100), "a\nb\nc\nd\n");
}

TEST(LastLinesTest, LongFileIsReadFromItsEnd) {
  const Folder folder;
  std::string text;
  for (int i = 0; i < 50000; ++i) text += std::to_string(i) + "\n";
  folder.Write("log", text);
  EXPECT_EQ(LastLines(folder.Path("log"), 2), "49998\n49999\n");
  const std::string many = LastLines(folder.Path("log"), 40000);
  EXPECT_EQ(many.substr(0, 6), "10000\n");
}

// Of this process, whatever it read from.
uint64_t BytesRead() {
  std::ifstream file("/proc/self/io");
  std::string name;
  uint64_t bytes = 0;
  file >> name >> bytes;
  EXPECT_EQ(name, "rchar:");
  return bytes;
}

TEST(LastLinesTest, NoMoreThanTheEndOfAHugeFileIsRead) {
  const Folder folder;
  folder.Write("log.1", "older\n");
  folder.Write("log", "first\n");
  ASSERT_EQ(truncate(folder.Path("log").c_str(), off_t{3} << 30), 0);
  folder.Write("log", "\na\nb\n");
  const uint64_t before = BytesRead();
  EXPECT_EQ(LastLines(folder.Path("log"), 2), "a\nb\n");
  EXPECT_LT(BytesRead() - before, uint64_t{1} << 20);
  // The hole is a line without an end: of that one the end, and of what is before it nothing.
  const std::string lines = LastLines(folder.Path("log"), 15);
  EXPECT_LT(BytesRead() - before, uint64_t{1} << 20);
  EXPECT_LE(lines.size(), size_t{512} << 10);
  EXPECT_EQ(lines.substr(lines.size() - 5), "\na\nb\n");
}

TEST(LastLinesTest, LongestLineOfOursIsShownWhole) {
  const Folder folder;
  const std::string line = std::string(64 << 10, 'x') + "\n";
  folder.Write("log", "a\n" + line + "b\n" + line);
  EXPECT_EQ(LastLines(folder.Path("log"), 15), "a\n" + line + "b\n" + line);
  EXPECT_EQ(LastLines(folder.Path("log"), 3), line + "b\n" + line);
}

TEST(LastLinesTest, MissingFileHasNone) { EXPECT_EQ(LastLines("/nowhere/log", 5), ""); }

class FollowerTest : public testing::Test {
 protected:
  FollowerTest() { folder_.Write("log", "old\n"); }
  void Rename(const std::string& from, const std::string& to) {
    ASSERT_EQ(rename(folder_.Path(from).c_str(), folder_.Path(to).c_str()), 0);
  }
  Folder folder_;
};

TEST_F(FollowerTest, ReadsWhatIsAppended) {
  Follower follower(folder_.Path("log"));
  EXPECT_EQ(follower.LastLines(1), "old\n");
  EXPECT_EQ(follower.ReadNew(), "");
  folder_.Write("log", "a\n");
  EXPECT_EQ(follower.ReadNew(), "a\n");
  EXPECT_EQ(follower.ReadNew(), "");
}

TEST_F(FollowerTest, GoesThroughRotationsInOrder) {
  Follower follower(folder_.Path("log"));
  EXPECT_EQ(follower.LastLines(1), "old\n");
  folder_.Write("log", "a\n");
  Rename("log", "log.3");
  folder_.Write("log.2", "b\n");
  folder_.Write("log.1", "c\n");
  folder_.Write("log", "d\n");
  EXPECT_EQ(follower.ReadNew(), "a\nb\nc\nd\n");
}

TEST_F(FollowerTest, BetweenTwoNamesTheOldFileCounts) {
  Rename("log", "log.1");
  Follower follower(folder_.Path("log"));
  EXPECT_EQ(follower.LastLines(5), "old\n");
  Rename("log.1", "log.2");
  folder_.Write("log.1", "a\n");
  folder_.Write("log", "b\n");
  EXPECT_EQ(follower.ReadNew(), "a\nb\n");
}

TEST_F(FollowerTest, EmptiedFileIsReadFromItsBeginning) {
  Follower follower(folder_.Path("log"));
  EXPECT_EQ(follower.LastLines(1), "old\n");
  ASSERT_EQ(truncate(folder_.Path("log").c_str(), 0), 0);
  folder_.Write("log", "a\n");
  EXPECT_EQ(follower.ReadNew(), "a\n");
}

TEST_F(FollowerTest, FileMayComeLater) {
  Follower follower(folder_.Path("later"));
  EXPECT_EQ(follower.LastLines(5), "");
  EXPECT_EQ(follower.ReadNew(), "");
  folder_.Write("later", "a\n");
  EXPECT_EQ(follower.ReadNew(), "a\n");
}

}  // namespace
}  // namespace uc::tools
