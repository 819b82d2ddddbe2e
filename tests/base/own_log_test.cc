#include "core/base/own_log.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "core/base/fd.h"
#include "gtest/gtest.h"

namespace uc {
namespace {

class OwnLogTest : public testing::Test {
 protected:
  OwnLogTest() : stderr_(fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3)) {
    const char* const base = getenv("TEST_TMPDIR");
    root_ = std::string(base != nullptr ? base : "/tmp") + "/own_log.XXXXXX";
    EXPECT_NE(mkdtemp(root_.data()), nullptr);
    path_ = root_ + "/log";
    // Not the file that stdout is, which would move with it.
    const Fd null(open("/dev/null", O_WRONLY | O_CLOEXEC));
    dup2(null.get(), STDERR_FILENO);
  }
  ~OwnLogTest() override {
    dup2(stderr_.get(), STDERR_FILENO);
    std::filesystem::remove_all(root_);
  }
  static void Say(const std::string& text) {
    ASSERT_EQ(write(STDERR_FILENO, text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  std::string Text(const std::string& ending = "") const {
    std::ifstream file(path_ + ending);
    std::ostringstream text;
    text << file.rdbuf();
    return file ? text.str() : "-";
  }

  const Fd stderr_;
  std::string root_;
  std::string path_;
};

TEST_F(OwnLogTest, FullFileIsRotated) {
  OwnLog log(path_, {8, 2});
  ASSERT_TRUE(log.Open().ok());
  for (const char* line : {"first one\n", "second one\n", "third one\n", "fourth one\n"}) {
    Say(line);
    EXPECT_TRUE(log.Tend());
    EXPECT_FALSE(log.Tend()) << "once";
  }
  EXPECT_EQ(Text(), "");
  EXPECT_EQ(Text(".1"), "fourth one\n");
  EXPECT_EQ(Text(".2"), "third one\n");
  EXPECT_EQ(Text(".3"), "-");
}

TEST_F(OwnLogTest, WithoutOldFilesAFullOneIsEmptied) {
  OwnLog log(path_, {8, 0});
  ASSERT_TRUE(log.Open().ok());
  Say("first one\n");
  EXPECT_FALSE(log.Tend());
  Say("b\n");
  EXPECT_EQ(Text(), "b\n");
  EXPECT_EQ(Text(".1"), "-");
}

TEST_F(OwnLogTest, InheritedLogIsRotatedToo) {
  ASSERT_TRUE(OwnLog(path_, {8, 1}).Open().ok());
  Say("first one\n");
  OwnLog log(path_, {8, 1});  // of a program that was exec'd
  EXPECT_TRUE(log.Tend());
  EXPECT_EQ(Text(".1"), "first one\n");
}

TEST_F(OwnLogTest, FileThatAnotherProcessRotatedIsFollowed) {
  OwnLog log(path_, {1000, 1});
  ASSERT_TRUE(log.Open().ok());
  Say("a\n");
  std::filesystem::rename(path_, path_ + ".1");
  EXPECT_TRUE(log.Tend());
  Say("b\n");
  EXPECT_EQ(Text(".1"), "a\n");
  EXPECT_EQ(Text(), "b\n");
}

TEST_F(OwnLogTest, OneOfTwoRotatesAtATime) {
  OwnLog log(path_, {8, 1});
  ASSERT_TRUE(log.Open().ok());
  Say("first one\n");
  Fd other(open(path_.c_str(), O_WRONLY | O_CLOEXEC));
  ASSERT_EQ(flock(other.get(), LOCK_EX), 0);
  EXPECT_FALSE(log.Tend()) << "it neither waits nor renames";
  EXPECT_EQ(Text(".1"), "-");
  other.Reset();
  EXPECT_TRUE(log.Tend());
}

TEST_F(OwnLogTest, StderrThatIsNoFileOfOursIsLeftAlone) {
  EXPECT_TRUE(OwnLog("", {}).Open().ok());
  EXPECT_FALSE(OwnLog("", {}).Tend());
  const Fd null(open("/dev/null", O_WRONLY | O_CLOEXEC));
  dup2(null.get(), STDERR_FILENO);
  EXPECT_FALSE(OwnLog(path_, {}).Tend());
  EXPECT_EQ(Text(), "-");
}

// --- Errors ---

TEST_F(OwnLogTest, FileThatCannotBeOpenedLeavesStderrAsItIs) {
  OwnLog log(path_, {});
  ASSERT_TRUE(log.Open().ok());
  EXPECT_FALSE(OwnLog(root_ + "/missing/log", {}).Open().ok());
  Say("a\n");
  EXPECT_EQ(Text(), "a\n");
}

}  // namespace
}  // namespace uc
