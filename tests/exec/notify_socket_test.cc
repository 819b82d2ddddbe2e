#include "core/exec/notify_socket.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "core/exec/abstract_name.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace uc::exec {
namespace {

constexpr uid_t kSomebody = 64030;  // no account has it

class NotifySocketTest : public testing::Test {
 protected:
  static Fd Connect(const NotifySocket& socket) {
    Fd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    const AbstractName name(socket.name());
    EXPECT_EQ(connect(fd.get(), name.get(), name.size()), 0) << strerror(errno);
    return fd;
  }
  static void Say(const NotifySocket& socket, const std::string& text) {
    const Fd fd = Connect(socket);
    EXPECT_EQ(send(fd.get(), text.data(), text.size(), MSG_DONTWAIT),
              static_cast<ssize_t>(text.size()))
        << strerror(errno);
  }
  // From a process of that user. False: this one may not become another (in a sandbox).
  static bool SayAs(uid_t user, const NotifySocket& socket) {
    const pid_t child = fork();
    if (child == 0) {
      const Fd fd = Connect(socket);
      if (setresuid(user, user, user) != 0) _exit(2);
      _exit(send(fd.get(), "READY=1", 7, 0) == 7 ? 0 : 1);
    }
    int status = 0;
    EXPECT_EQ(waitpid(child, &status, 0), child);
    EXPECT_NE(WEXITSTATUS(status), 1);
    return WEXITSTATUS(status) == 0;
  }

  NotifySocket socket_ = *NotifySocket::Open(geteuid());
};

TEST_F(NotifySocketTest, HearsReadyAmongOtherWords) {
  EXPECT_FALSE(socket_.HeardReady());
  Say(socket_, "STATUS=loading");
  EXPECT_FALSE(socket_.HeardReady());
  Say(socket_, "STATUS=fine\nREADY=1\nMAINPID=1");
  EXPECT_TRUE(socket_.HeardReady());
  Say(socket_, "XREADY=1");
  EXPECT_FALSE(socket_.HeardReady());
}

TEST_F(NotifySocketTest, EachHasANameOfItsOwnAndNoFile) {
  const NotifySocket other = *NotifySocket::Open(geteuid());
  EXPECT_NE(socket_.name(), other.name());
  EXPECT_EQ(socket_.name()[0], '@');
  Say(other, "READY=1");
  EXPECT_FALSE(socket_.HeardReady());
  EXPECT_TRUE(other.HeardReady());
}

TEST_F(NotifySocketTest, NobodyButItsUserIsHeardNotEvenRoot) {
  if (!SayAs(kSomebody, socket_)) GTEST_SKIP() << "only root may be somebody else";
  EXPECT_FALSE(socket_.HeardReady());
  const NotifySocket somebodys = *NotifySocket::Open(kSomebody);
  Say(somebodys, "READY=1");
  SayAs(kSomebody + 1, somebodys);
  EXPECT_FALSE(somebodys.HeardReady());
  SayAs(kSomebody, somebodys);
  EXPECT_TRUE(somebodys.HeardReady());
}

TEST_F(NotifySocketTest, DescriptorsThatComeAlongAreNotKept) {
  const Fd fd = Connect(socket_);
  const Fd before(dup(fd.get()));
  char text[] = "READY=1";
  iovec part = {text, 7};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr header = {};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control;
  header.msg_controllen = sizeof(control);
  cmsghdr* const rights = CMSG_FIRSTHDR(&header);
  rights->cmsg_level = SOL_SOCKET;
  rights->cmsg_type = SCM_RIGHTS;
  rights->cmsg_len = CMSG_LEN(sizeof(int));
  const int sent = fd.get();
  memcpy(CMSG_DATA(rights), &sent, sizeof(sent));
  ASSERT_EQ(sendmsg(fd.get(), &header, 0), 7);
  EXPECT_TRUE(socket_.HeardReady());
  EXPECT_EQ(Fd(dup(fd.get())).get(), before.get() + 1) << "one of them is still open";
}

TEST_F(NotifySocketTest, FloodIsHeardInPieces) {
  int sent = 0;
  const Fd fd = Connect(socket_);
  while (send(fd.get(), "X=1", 3, MSG_DONTWAIT) == 3) ++sent;
  ASSERT_GT(sent, 0);
  for (int heard = 0; heard < sent; heard += NotifySocket::kPacketsMax) {
    EXPECT_FALSE(socket_.HeardReady());
  }
  Say(socket_, "READY=1");
  EXPECT_TRUE(socket_.HeardReady());
}

}  // namespace
}  // namespace uc::exec
