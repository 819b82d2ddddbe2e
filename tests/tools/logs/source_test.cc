#include "tools/logs/source.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>

#include "gtest/gtest.h"
#include "tests/tools/logs/folder.h"

namespace uc::tools {
namespace {

class SourceTest : public testing::Test {
 protected:
  SourceTest() {
    EXPECT_EQ(mkfifo(folder_.Path("3-17.err").c_str(), 0600), 0);
    source_ = Source::Open(folder_.root(), "3-17.err");
    writer_.Reset(open(folder_.Path("3-17.err").c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC));
  }
  void Write(const std::string& text) {
    ASSERT_EQ(write(writer_.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  std::string Look() { return std::string(source_->Look(peeker_)); }

  const Folder folder_;
  Peeker peeker_;
  std::unique_ptr<Source> source_;
  Fd writer_;
};

TEST_F(SourceTest, NameSaysSlotAndStream) {
  ASSERT_NE(source_, nullptr);
  EXPECT_EQ(source_->slot(), 3u);
  EXPECT_EQ(source_->stream(), Stream::kErr);
  for (const char* name : {"wake", "lock", "journal", "3.out", "x-1.out", "3-17", "4-1.out"}) {
    EXPECT_EQ(Source::Open(folder_.root(), name), nullptr) << name;
  }
}

TEST_F(SourceTest, WhatIsLookedAtStaysUntilItIsTaken) {
  EXPECT_EQ(Look(), "");
  Write("a\nb");
  EXPECT_EQ(Look(), "a\nb");
  Write("c\n");
  EXPECT_EQ(Look(), "a\nbc\n");
  source_->Take(2);
  EXPECT_EQ(Look(), "bc\n");
  source_->Take(3);
  EXPECT_EQ(Look(), "");
}

TEST_F(SourceTest, LookShowsNoMoreThanItsMost) {
  fcntl(writer_.get(), F_SETPIPE_SZ, 256 << 10);
  Write(std::string(100'000, 'x'));
  EXPECT_EQ(Look().size(), Peeker::kBytesMax);
  EXPECT_TRUE(source_->Stuck(Peeker::kBytesMax)) << "there is more";
  source_->Take(Peeker::kBytesMax);
  EXPECT_EQ(Look().size(), 100'000 - Peeker::kBytesMax);
}

TEST_F(SourceTest, PipeThatIsFullIsStuck) {
  // Two pages: a pipe is full for poll(2) when each of its pages is in use, with whatever is left in the last.
  const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  ASSERT_EQ(fcntl(writer_.get(), F_SETPIPE_SZ, 2 * page), static_cast<int>(2 * page));
  Write("part of a line");
  EXPECT_FALSE(source_->Stuck(Look().size()));
  Write(std::string(2 * page - 14, 'x'));
  EXPECT_TRUE(source_->Stuck(Look().size()));
}

}  // namespace
}  // namespace uc::tools
