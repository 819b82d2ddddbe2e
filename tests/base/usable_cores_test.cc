#include "core/base/usable_cores.h"

#include <sched.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace uc {
namespace {

int Affinity() {
  cpu_set_t set;
  return sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;
}

class UsableCoresTest : public testing::Test {
 protected:
  UsableCoresTest() {
    std::string pattern = absl::StrCat(testing::TempDir(), "/cores-XXXXXX");
    root_ = mkdtemp(pattern.data());
  }
  ~UsableCoresTest() override { std::filesystem::remove_all(root_); }

  void WriteFile(const std::string& path, const std::string& text) {
    std::filesystem::create_directories(std::filesystem::path(root_ + path).parent_path());
    std::ofstream(root_ + path) << text;
  }
  void InGroup(const std::string& line) { WriteFile("/proc/self/cgroup", line + "\n"); }
  void MaxOf(const std::string& group, const std::string& text) {
    WriteFile("/sys/fs/cgroup" + group + "/cpu.max", text + "\n");
  }
  void QuotaOf(const std::string& folder, const std::string& quota, const std::string& period) {
    WriteFile("/sys/fs/cgroup/" + folder + "/cpu.cfs_quota_us", quota + "\n");
    WriteFile("/sys/fs/cgroup/" + folder + "/cpu.cfs_period_us", period + "\n");
  }
  // This machine may have fewer cores than the quota.
  void ExpectCores(int cores) { EXPECT_EQ(UsableCores(root_), std::min(cores, Affinity())); }
  void ExpectUnlimited() { EXPECT_EQ(UsableCores(root_), Affinity()); }

  std::string root_;
};

TEST_F(UsableCoresTest, ThisMachineHasAtLeastOneAndNoMoreThanItsAffinity) {
  EXPECT_GE(UsableCores(), 1);
  EXPECT_LE(UsableCores(), Affinity());
}

TEST_F(UsableCoresTest, NoFilesMeanNoQuota) { ExpectUnlimited(); }

TEST_F(UsableCoresTest, OnlyTheCoresOfTheAffinityCount) {
  cpu_set_t before;
  ASSERT_EQ(sched_getaffinity(0, sizeof(before), &before), 0);
  cpu_set_t one;
  CPU_ZERO(&one);
  for (int cpu = 0; CPU_COUNT(&one) == 0; ++cpu) {
    if (CPU_ISSET(cpu, &before)) CPU_SET(cpu, &one);
  }
  ASSERT_EQ(sched_setaffinity(0, sizeof(one), &one), 0);
  EXPECT_EQ(UsableCores(root_), 1);
  sched_setaffinity(0, sizeof(before), &before);
}

TEST_F(UsableCoresTest, QuotaIsRoundedUp) {
  InGroup("0::/app");
  MaxOf("/app", "150000 100000");
  ExpectCores(2);
}

TEST_F(UsableCoresTest, SmallestQuotaIsStillOneCore) {
  InGroup("0::/app");
  MaxOf("/app", "1000 100000");
  ExpectCores(1);
}

TEST_F(UsableCoresTest, HugeQuotaIsCappedByTheAffinity) {
  InGroup("0::/app");
  MaxOf("/app", "9000000000 100000");
  ExpectUnlimited();
}

TEST_F(UsableCoresTest, MaxIsNoQuota) {
  InGroup("0::/app");
  MaxOf("/app", "max 100000");
  ExpectUnlimited();
}

TEST_F(UsableCoresTest, SmallerQuotaOfAParentBinds) {
  InGroup("0::/a/b/c");
  MaxOf("/a/b/c", "max 100000");
  MaxOf("/a/b", "400000 100000");
  MaxOf("/a", "100000 100000");
  ExpectCores(1);
}

TEST_F(UsableCoresTest, SmallerQuotaOfAChildBinds) {
  InGroup("0::/a/b");
  MaxOf("/a/b", "50000 100000");
  MaxOf("/a", "200000 100000");
  ExpectCores(1);
}

TEST_F(UsableCoresTest, QuotaOfTheRootBindsInItsOwnNamespace) {
  InGroup("0::/");
  MaxOf("", "100000 100000");
  ExpectCores(1);
}

TEST_F(UsableCoresTest, QuotaOfTheRootBindsFromBelow) {
  InGroup("0::/a");
  MaxOf("", "100000 100000");
  ExpectCores(1);
}

TEST_F(UsableCoresTest, QuotaOfAnotherGroupDoesNotBind) {
  InGroup("0::/a");
  MaxOf("/b", "100000 100000");
  ExpectUnlimited();
}

TEST_F(UsableCoresTest, VersionOneQuotaBinds) {
  InGroup("5:cpu,cpuacct:/app");
  QuotaOf("cpu/app", "150000", "100000");
  ExpectCores(2);
}

TEST_F(UsableCoresTest, VersionOneFolderMayHaveBothNames) {
  InGroup("5:cpu,cpuacct:/app");
  QuotaOf("cpu,cpuacct/app", "100000", "100000");
  ExpectCores(1);
}

TEST_F(UsableCoresTest, VersionOneParentBinds) {
  InGroup("5:cpu:/a/b");
  QuotaOf("cpu/a/b", "-1", "100000");
  QuotaOf("cpu/a", "100000", "100000");
  ExpectCores(1);
}

TEST_F(UsableCoresTest, VersionOneMinusOneIsNoQuota) {
  InGroup("5:cpu:/app");
  QuotaOf("cpu/app", "-1", "100000");
  ExpectUnlimited();
}

TEST_F(UsableCoresTest, OtherControllersDoNotBind) {
  InGroup("4:cpuset:/app\n7:memory:/app");
  QuotaOf("cpuset/app", "100000", "100000");
  QuotaOf("memory/app", "100000", "100000");
  ExpectUnlimited();
}

TEST_F(UsableCoresTest, HybridHierarchyIsFound) {
  InGroup("1:name=systemd:/\n0::/app");
  MaxOf("/unified/app", "100000 100000");
  ExpectCores(1);
}

TEST_F(UsableCoresTest, NonsenseIsNoQuota) {
  for (const char* text : {"", "x y", "100000", "100000 0", "-5 100000", "0 100000", "nan nan"}) {
    InGroup("0::/app");
    MaxOf("/app", text);
    ExpectUnlimited();
  }
  InGroup("no colons\n::\n0:");
  ExpectUnlimited();
}

}  // namespace
}  // namespace uc
