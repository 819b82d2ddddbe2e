// Places where io_uring is forbidden or short of something: one line that says what and what cures
// it.
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>

#include "core/base/fd.h"
#include "core/ring/ring.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace uc::ring {
namespace {

using testing::HasSubstr;

// As a container's seccomp profile does it.
bool Forbid(int call, int error) {
  sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<uint32_t>(call), 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | static_cast<uint32_t>(error)),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog filter = {std::size(program), program};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

// What Create() says in a child in which `spoil` has been done.
template <typename Spoil>
std::string SaidAfter(const Spoil& spoil) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return "no pipe";
  const Fd reader(ends[0]);
  Fd writer(ends[1]);
  const pid_t child = fork();
  if (child == 0) {
    spoil();
    const std::string text = Ring::Create(RingOptions{}).status().ToString();
    _exit(write(writer.get(), text.data(), text.size()) < 0);
  }
  writer.Reset();
  char text[4096];
  const ssize_t size = read(reader.get(), text, sizeof(text));
  waitpid(child, nullptr, 0);
  return size > 0 ? std::string(text, size) : "nothing";
}

std::string SaidWhenForbidden(int call, int error) {
  return SaidAfter([&] { EXPECT_TRUE(Forbid(call, error)); });
}

void ExpectBothCausesAndTheCure(const std::string& said) {
  EXPECT_THAT(said, HasSubstr("FAILED_PRECONDITION"));
  EXPECT_THAT(said, HasSubstr("kernel.io_uring_disabled"));
  EXPECT_THAT(said, HasSubstr("seccomp"));
  EXPECT_THAT(said, HasSubstr("--security-opt"));
  EXPECT_EQ(said.find('\n'), std::string::npos);
}

TEST(UnavailableTest, NothingForbiddenIsOk) {
  EXPECT_EQ(SaidAfter([] {}), "OK");
}

TEST(UnavailableTest, ForbiddenSetupNamesBothCausesAndTheCure) {
  ExpectBothCausesAndTheCure(SaidWhenForbidden(SYS_io_uring_setup, EPERM));
}

TEST(UnavailableTest, MissingCallNamesBothCausesAndTheCure) {
  ExpectBothCausesAndTheCure(SaidWhenForbidden(SYS_io_uring_setup, ENOSYS));
}

TEST(UnavailableTest, ForbiddenEnterIsFoundAtCreation) {
  ExpectBothCausesAndTheCure(SaidWhenForbidden(SYS_io_uring_enter, EPERM));
}

TEST(UnavailableTest, ForbiddenRegisterIsFoundAtCreation) {
  ExpectBothCausesAndTheCure(SaidWhenForbidden(SYS_io_uring_register, EPERM));
}

TEST(UnavailableTest, OldKernelIsToldWhichOneIsNeeded) {
  EXPECT_THAT(SaidWhenForbidden(SYS_io_uring_setup, EINVAL), HasSubstr("Linux 5.19"));
  EXPECT_THAT(SaidWhenForbidden(SYS_io_uring_register, EINVAL), HasSubstr("Linux 5.19"));
}

TEST(UnavailableTest, LockedMemoryLimitIsNamed) {
  EXPECT_THAT(SaidWhenForbidden(SYS_io_uring_setup, ENOMEM), HasSubstr("ulimit -l"));
}

TEST(UnavailableTest, NoDescriptorLeftIsSaid) {
  EXPECT_THAT(SaidAfter([] {
                while (open("/dev/null", O_RDONLY | O_CLOEXEC) >= 0) continue;
              }),
              HasSubstr("ulimit -n"));
}

TEST(UnavailableTest, UnknownErrorIsPassedOn) {
  EXPECT_THAT(SaidWhenForbidden(SYS_io_uring_setup, EIO), HasSubstr("io_uring cannot be set up"));
}

}  // namespace
}  // namespace uc::ring
