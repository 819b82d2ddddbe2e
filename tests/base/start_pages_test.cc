// StartPages: the program goes on as if nothing had happened, with less memory.
#include "core/base/start_pages.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <string>

#include "absl/strings/str_cat.h"
#include "core/base/small_file.h"

namespace uc {
namespace {

// proc_pid_statm(5): size, resident, and of it what files are behind; in pages.
long FilePages() {
  long size = 0, resident = 0, of_files = 0;
  const std::string statm = ReadSmallFile("/proc/self/statm");
  return std::sscanf(statm.c_str(), "%ld %ld %ld", &size, &resident, &of_files) == 3 ? of_files : 0;
}

// Both need a relocation: the name's address, and the virtual function's.
const char* volatile const kNames[] = {"full", "migrate", "plain"};
struct Speaker {
  virtual ~Speaker() = default;
  virtual std::string Say(int which) const { return kNames[which]; }
};

TEST(StartPages, WhatIsGivenBackComesBackWhenItIsUsed) {
  const Speaker speaker;
  const Speaker* volatile const one = &speaker;
  EXPECT_EQ(one->Say(1), "migrate");
  for (int times = 0; times < 3; ++times) {
    ReleaseStartPages();
    EXPECT_EQ(one->Say(0), "full");
    EXPECT_EQ(absl::StrCat(one->Say(2), " ", 1.5), "plain 1.5");
  }
}

TEST(StartPages, IsLessMemory) {
  const long before = FilePages();
  ASSERT_GT(before, 0);
  ReleaseStartPages();
  EXPECT_LT(FilePages(), before);
}

}  // namespace
}  // namespace uc
