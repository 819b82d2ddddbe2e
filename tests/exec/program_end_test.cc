#include "core/exec/program_end.h"

#include <signal.h>

#include <cstdlib>

#include "gtest/gtest.h"

namespace uc::exec {
namespace {

// wait(2)'s: the code is the second byte, the signal the first.
constexpr int Exited(int code) { return code << 8; }
constexpr int KilledBy(int number) { return number; }

TEST(ProgramEndTest, IsToldInWords) {
  EXPECT_EQ(EndText(Exited(3)), "exited with code 3");
  EXPECT_EQ(EndText(KilledBy(SIGSEGV)), "killed by SIGSEGV");
  EXPECT_EQ(EndText(KilledBy(SIGRTMIN)), "killed by signal 34");
}

TEST(ProgramEndTest, WeExitWithItsCode) { EXPECT_EQ(EndLike(Exited(3)), 3); }

TEST(ProgramEndDeathTest, WeEndByItsSignalThoughItIsBlocked) {
  const auto end = [] {
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, nullptr);
    std::exit(EndLike(KilledBy(SIGTERM)));
  };
  EXPECT_EXIT(end(), testing::KilledBySignal(SIGTERM), "");
}

}  // namespace
}  // namespace uc::exec
