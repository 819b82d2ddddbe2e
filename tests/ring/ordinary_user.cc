#include "tests/ring/ordinary_user.h"

#include <grp.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace uc::ring {

void OrdinaryUserTest::SetUp() {
  if (geteuid() != 0) GTEST_SKIP() << "only root can be another user";
}

bool OrdinaryUserTest::HoldsFor(uid_t user, uint64_t limit_bytes,
                                const std::function<void()>& story) {
  const pid_t child = fork();
  if (child == 0) {
    const rlimit limit = {limit_bytes, limit_bytes};
    const bool ordinary = setrlimit(RLIMIT_MEMLOCK, &limit) == 0 && setgroups(0, nullptr) == 0 &&
                          setgid(user) == 0 && setuid(user) == 0;
    EXPECT_TRUE(ordinary);
    if (ordinary) story();
    _exit(testing::Test::HasFailure());
  }
  int status = 0;
  return waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace uc::ring
