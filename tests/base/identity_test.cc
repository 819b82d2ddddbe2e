#include "core/base/identity.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <map>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace uc {
namespace {

using testing::HasSubstr;

std::string Refusal(const std::string& user, const std::string& group = "") {
  const absl::StatusOr<std::optional<Identity>> found = FindIdentity(user, group);
  return found.ok() ? "" : std::string(found.status().message());
}

// In a child, as what it becomes there is for good: true if `claim` holds of it.
template <typename Claim>
bool HoldsInChild(const Claim& claim) {
  const pid_t child = fork();
  if (child == 0) _exit(claim() ? 0 : 1);
  int status = 0;
  return waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

std::map<std::string, std::string> OwnStatus() {
  std::map<std::string, std::string> status;
  std::ifstream file("/proc/self/status");
  for (std::string line; std::getline(file, line);) {
    const std::pair<std::string, std::string> fact =
        absl::StrSplit(line, absl::MaxSplits(":\t", 1));
    status[fact.first] = fact.second;
  }
  return status;
}

bool IsRoot() {
  __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3] = {};
  return geteuid() == 0 && syscall(SYS_capget, &header, sets) == 0 &&
         (sets[0].effective & CAP_TO_MASK(CAP_SETUID)) != 0 && setgroups(0, nullptr) == 0;
}

class IdentityOfRootTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!IsRoot()) GTEST_SKIP() << "only root may become another user (not in this sandbox)";
  }
};

TEST(IdentityTest, NothingGivenIsNobodyElse) {
  EXPECT_EQ(FindIdentity("", "")->has_value(), false);
  EXPECT_EQ(FindIdentity(absl::StrCat(geteuid()), "")->has_value(), false);
  EXPECT_EQ(FindIdentity("", absl::StrCat(getegid()))->has_value(), false);
}

TEST(IdentityTest, UnknownNamesAndIdsAreRefusedInALine) {
  EXPECT_EQ(Refusal("no-such-user"), "--user=no-such-user: no such user");
  EXPECT_EQ(Refusal("", "no-such-group"), "--group=no-such-group: no such group");
  EXPECT_THAT(Refusal("4294967295"), HasSubstr("--user=4294967295: an id is at most"));
  EXPECT_THAT(Refusal("99999999999"), HasSubstr("--user=99999999999: an id is at most"));
  EXPECT_THAT(Refusal("", "4294967295"), HasSubstr("--group=4294967295: an id is at most"));
  EXPECT_THAT(Refusal("64010"), HasSubstr("--group must say its group"));
}

TEST_F(IdentityOfRootTest, NamesAndNumbersMeanTheSameAccount) {
  const absl::StatusOr<std::optional<Identity>> name = FindIdentity("nobody", "");
  const absl::StatusOr<std::optional<Identity>> number = FindIdentity("65534", "");
  ASSERT_TRUE(name.ok() && name->has_value() && number.ok() && number->has_value());
  for (const Identity& identity : {**name, **number}) {
    EXPECT_EQ(identity.uid, 65534u);
    EXPECT_EQ(identity.gid, 65534u);
    EXPECT_EQ(identity.ToString(), "user nobody (id 65534), group nogroup (id 65534)");
  }
  const Identity other = **FindIdentity("64010", "64011");
  EXPECT_EQ(other.ToString(), "user 64010 (id 64010), group 64011 (id 64011)");
  EXPECT_EQ(other.groups, std::vector<gid_t>{64011});
}

TEST_F(IdentityOfRootTest, WhoBecomesAnotherHasNothingLeft) {
  const Identity identity = **FindIdentity("64010", "64011");
  EXPECT_TRUE(HoldsInChild([&] {
    setgroups(0, nullptr);
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_CHOWN, 0, 0);
    if (!Become(identity).ok()) return false;
    std::map<std::string, std::string> status = OwnStatus();
    for (const char* set : {"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"}) {
      if (status[set] != "0000000000000000") return false;
    }
    return status["Uid"] == "64010\t64010\t64010\t64010" &&
           status["Gid"] == "64011\t64011\t64011\t64011" && status["NoNewPrivs"] == "1" &&
           absl::StrContains(status["Groups"], "64011") &&
           !absl::StrContains(status["Groups"], "0 ");
  }));
}

TEST_F(IdentityOfRootTest, WhoStartsAProgramLeavesItWhatAnyOfThatUserMayGain) {
  const Identity identity = **FindIdentity("64010", "64011");
  EXPECT_TRUE(HoldsInChild([&] {
    const std::string bounding = OwnStatus()["CapBnd"];
    if (!Become(identity, ExecGives::kAsAnyUser).ok()) return false;
    std::map<std::string, std::string> status = OwnStatus();
    for (const char* set : {"CapInh", "CapPrm", "CapEff", "CapAmb"}) {
      if (status[set] != "0000000000000000") return false;
    }
    return status["CapBnd"] == bounding && status["NoNewPrivs"] == "0" &&
           status["Uid"] == "64010\t64010\t64010\t64010";
  }));
}

TEST_F(IdentityOfRootTest, AGroupAloneLeavesRootWhatItMay) {
  const Identity identity = **FindIdentity("", "64011");
  EXPECT_TRUE(HoldsInChild([&] {
    if (!Become(identity).ok()) return false;
    std::map<std::string, std::string> status = OwnStatus();
    return status["Uid"] == "0\t0\t0\t0" && status["Gid"] == "64011\t64011\t64011\t64011" &&
           status["CapEff"] != "0000000000000000";
  }));
}

TEST_F(IdentityOfRootTest, WithoutTheRightItIsRefusedBeforehand) {
  EXPECT_TRUE(HoldsInChild([] {
    if (setresgid(64012, 64012, 64012) != 0 || setresuid(64012, 64012, 64012) != 0) return false;
    return absl::StartsWith(Refusal("nobody"), "--user=nobody: only root may change to it") &&
           absl::StartsWith(Refusal("", "nogroup"),
                            "--group=nogroup: only root may change to it") &&
           Refusal("64012").empty();
  }));
}

TEST_F(IdentityOfRootTest, FilesAreLookedAtWithTheRightsOfAnother) {
  char path[] = "/tmp/identity_test.XXXXXX";
  const int file = mkstemp(path);
  ASSERT_GE(file, 0);
  close(file);
  ASSERT_EQ(chmod(path, 0600), 0);
  const auto opens = [&path] {
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) close(fd);
    return fd >= 0;
  };
  {
    const FileAccessAs another(**FindIdentity("64010", "64011"));
    EXPECT_FALSE(opens());
  }
  EXPECT_TRUE(opens());
  ASSERT_EQ(chown(path, 64010, 64011), 0);
  {
    const FileAccessAs another(**FindIdentity("64010", "64011"));
    EXPECT_TRUE(opens());
  }
  unlink(path);
}

// A process alone in its group.
class Lone {
 public:
  explicit Lone(uid_t user) : pid_(fork()) {
    if (pid_ == 0) {
      setpgid(0, 0);
      if (setresuid(user, user, user) != 0) _exit(1);
      for (;;) raise(SIGSTOP);
    }
    waitpid(pid_, nullptr, WUNTRACED);
  }
  ~Lone() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  Lone(const Lone&) = delete;
  Lone& operator=(const Lone&) = delete;
  pid_t pid() const { return pid_; }
  bool killed() const {
    siginfo_t end = {};
    return waitid(P_PID, static_cast<id_t>(pid_), &end, WEXITED | WNOHANG | WNOWAIT) == 0 &&
           end.si_code == CLD_KILLED;
  }

 private:
  const pid_t pid_;
};

TEST_F(IdentityOfRootTest, SignalAsAnotherReachesNobodyElse) {
  const Lone theirs(64010), ours(0), third(64013);
  for (const Lone* const lone : {&ours, &third}) {
    EXPECT_FALSE(KillGroupAs(64010, lone->pid(), SIGKILL));
    EXPECT_EQ(errno, EPERM);
    EXPECT_FALSE(lone->killed());
  }
  EXPECT_EQ(geteuid(), 0u);
  EXPECT_TRUE(KillGroupAs(64010, theirs.pid(), SIGKILL));
  EXPECT_TRUE(KillGroupAs(0, third.pid(), SIGKILL));
}

}  // namespace
}  // namespace uc
