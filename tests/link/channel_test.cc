#include "core/link/channel.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "core/base/fd.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace uc::link {
namespace {

int OpenDescriptors() {
  int count = 0;
  DIR* directory = opendir("/proc/self/fd");
  while (readdir(directory) != nullptr) ++count;
  closedir(directory);
  return count;
}

class ChannelTest : public testing::Test {
 protected:
  ChannelTest() {
    std::pair<Channel, Channel> pair = Channel::Pair().value();
    near_.emplace(std::move(pair.first));
    far_.emplace(std::move(pair.second));
  }

  // Bytes as no Channel sends them.
  void SendRaw(const std::string& bytes, const std::vector<int>& descriptors = {}) {
    iovec part = {const_cast<char*>(bytes.data()), bytes.size()};
    alignas(cmsghdr) char control[CMSG_SPACE(253 * sizeof(int))] = {};
    msghdr header = {};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    if (!descriptors.empty()) {
      const size_t size = descriptors.size() * sizeof(int);
      header.msg_control = control;
      header.msg_controllen = CMSG_SPACE(size);
      cmsghdr* rights = CMSG_FIRSTHDR(&header);
      *rights = {};
      rights->cmsg_level = SOL_SOCKET;
      rights->cmsg_type = SCM_RIGHTS;
      rights->cmsg_len = CMSG_LEN(size);
      memcpy(CMSG_DATA(rights), descriptors.data(), size);
    }
    ASSERT_EQ(sendmsg(near_->fd(), &header, 0), static_cast<ssize_t>(bytes.size()));
  }
  absl::StatusCode ReceivedCode() { return far_->Receive().status().code(); }
  void ExpectNothingThere() {
    const absl::StatusOr<std::optional<Received>> received = far_->Receive();
    ASSERT_TRUE(received.ok()) << received.status();
    EXPECT_FALSE(received->has_value());
  }
  Received Next() {
    absl::StatusOr<std::optional<Received>> received = far_->Receive();
    if (received.ok() && received->has_value()) return *std::move(*received);
    ADD_FAILURE() << "no message: " << received.status();
    return Received();
  }

  std::optional<Channel> near_;
  std::optional<Channel> far_;
};

TEST_F(ChannelTest, NothingThereIsNoMessage) { ExpectNothingThere(); }

TEST_F(ChannelTest, MessagesArriveWholeAndInOrder) {
  EXPECT_TRUE(near_->Send(Drain{DrainKind::kPrompt, 5}).ok());
  EXPECT_TRUE(near_->Send(Reopen{}).ok());
  EXPECT_EQ(std::get<Drain>(Next().message).within_ms, 5u);
  EXPECT_TRUE(std::holds_alternative<Reopen>(Next().message));
  ExpectNothingThere();
}

TEST_F(ChannelTest, BothEndsTalk) {
  EXPECT_TRUE(far_->Send(Ready{}).ok());
  const auto received = near_->Receive();
  ASSERT_TRUE(received.ok() && received->has_value());
  EXPECT_TRUE(std::holds_alternative<Ready>((*received)->message));
}

TEST_F(ChannelTest, EndsAreNonBlockingAndCloseOnExec) {
  for (const int fd : {near_->fd(), far_->fd()}) {
    EXPECT_TRUE(fcntl(fd, F_GETFL) & O_NONBLOCK);
    EXPECT_TRUE(fcntl(fd, F_GETFD) & FD_CLOEXEC);
  }
}

TEST_F(ChannelTest, DescriptorsArriveInOrderAndUsable) {
  int first[2], second[2];
  ASSERT_EQ(pipe2(first, O_CLOEXEC) | pipe2(second, O_CLOEXEC), 0);
  const Fd in1(first[0]), out1(first[1]), in2(second[0]), out2(second[1]);
  ASSERT_TRUE(near_->Send(Bound{}, {out1.get(), out2.get()}).ok());
  const Received received = Next();
  ASSERT_EQ(received.descriptors.size(), 2u);
  ASSERT_EQ(write(received.descriptors[0].get(), "1", 1), 1);
  ASSERT_EQ(write(received.descriptors[1].get(), "2", 1), 1);
  char one = 0, two = 0;
  EXPECT_EQ(read(in1.get(), &one, 1) + read(in2.get(), &two, 1), 2);
  EXPECT_EQ(one, '1');
  EXPECT_EQ(two, '2');
}

TEST_F(ChannelTest, ReceivedDescriptorsCloseOnExec) {
  ASSERT_TRUE(near_->Send(Bound{}, {STDIN_FILENO}).ok());
  const Received received = Next();
  ASSERT_EQ(received.descriptors.size(), 1u);
  EXPECT_TRUE(fcntl(received.descriptors[0].get(), F_GETFD) & FD_CLOEXEC);
}

TEST_F(ChannelTest, MostDescriptorsPassInOneMessage) {
  ASSERT_TRUE(near_->Send(Bound{}, std::vector<int>(kDescriptorsMax, near_->fd())).ok());
  EXPECT_EQ(Next().descriptors.size(), kDescriptorsMax);
}

TEST_F(ChannelTest, MalformedMessageIsDroppedAndItsDescriptorsClosed) {
  const int before = OpenDescriptors();
  SendRaw("no message of ours", {STDIN_FILENO, STDIN_FILENO, STDIN_FILENO});
  EXPECT_EQ(ReceivedCode(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(OpenDescriptors(), before);
}

TEST_F(ChannelTest, TooManyDescriptorsAreRefusedAndClosed) {
  const int before = OpenDescriptors();
  SendRaw(Encode(Bound{}), std::vector<int>(kDescriptorsMax + 10, near_->fd()));
  EXPECT_EQ(ReceivedCode(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(OpenDescriptors(), before);
}

TEST_F(ChannelTest, TooLargeMessageIsRefusedAndItsDescriptorsClosed) {
  const int before = OpenDescriptors();
  SendRaw(Encode(Ready{}) + std::string(kMessageBytesMax, '\0'), {STDIN_FILENO});
  EXPECT_EQ(ReceivedCode(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(OpenDescriptors(), before);
}

TEST_F(ChannelTest, DescriptorsOfAnEmptyPacketAreClosed) {
  const int before = OpenDescriptors();
  SendRaw("", {STDIN_FILENO, STDIN_FILENO});
  EXPECT_EQ(ReceivedCode(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(OpenDescriptors(), before);
  ASSERT_TRUE(near_->Send(Ready{}).ok());
  EXPECT_TRUE(std::holds_alternative<Ready>(Next().message));
}

TEST_F(ChannelTest, ChannelGoesOnBehindMalformedMessage) {
  SendRaw("x");
  ASSERT_TRUE(near_->Send(Ready{}).ok());
  EXPECT_EQ(ReceivedCode(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(std::holds_alternative<Ready>(Next().message));
}

TEST_F(ChannelTest, FullQueueIsResourceExhaustedAndDrainsAgain) {
  absl::Status status;
  for (int i = 0; i < 1'000'000 && status.ok(); ++i) status = near_->Send(Ready{});
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(std::holds_alternative<Ready>(Next().message));
}

TEST_F(ChannelTest, GoneEndIsUnavailableForBothDirections) {
  far_.reset();
  EXPECT_EQ(near_->Send(Ready{}).code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(near_->Receive().status().code(), absl::StatusCode::kUnavailable);
}

TEST_F(ChannelTest, LastWordsAreHeardBeforeTheEnd) {
  ASSERT_TRUE(near_->Send(Refused{true, "the port is taken"}).ok());
  near_.reset();
  EXPECT_EQ(std::get<Refused>(Next().message).reason, "the port is taken");
  EXPECT_EQ(ReceivedCode(), absl::StatusCode::kUnavailable);
}

TEST_F(ChannelTest, LastWordsAreHeardFromAnEndThatLeftSomethingUnread) {
  ASSERT_TRUE(far_->Send(Drain{DrainKind::kPrompt, 0}).ok());
  ASSERT_TRUE(near_->Send(Refused{true, "the port is taken"}).ok());
  near_.reset();
  const Received received = Next();
  ASSERT_TRUE(std::holds_alternative<Refused>(received.message));
  EXPECT_EQ(std::get<Refused>(received.message).reason, "the port is taken");
}

// --- Who is there ---

TEST_F(ChannelTest, KeeperOfADoorIsWhoHasKeptItLast) {
  const std::string path = testing::TempDir() + "/kept-door";
  const Fd door = MakeDoor(path).value();
  EXPECT_EQ(Channel::Knock(path)->keeper(), getpid());
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  const pid_t child = fork();
  if (child == 0) {
    KeepDoor(door);
    if (write(ends[1], "x", 1) == 1) pause();
    _exit(1);
  }
  char byte;
  ASSERT_EQ(read(ends[0], &byte, 1), 1);
  const Channel channel = Channel::Knock(path).value();
  EXPECT_EQ(channel.keeper(), child);
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  EXPECT_EQ(channel.keeper(), child);  // the pidfd is what tells that it is gone
  unlink(path.c_str());
}

TEST_F(ChannelTest, SenderIsKnownEvenByAMalformedMessage) {
  const std::string path = testing::TempDir() + "/sender-door";
  const Fd door = MakeDoor(path).value();
  Channel channel = Channel::Knock(path).value();
  EXPECT_EQ(channel.sender(), 0);
  const Fd visitor = AnswerDoor(door).value();
  ASSERT_EQ(send(visitor.get(), "?", 1, 0), 1);
  EXPECT_TRUE(absl::IsInvalidArgument(channel.Receive().status()));
  EXPECT_EQ(channel.sender(), getpid());
  unlink(path.c_str());
}

TEST_F(ChannelTest, ADoorThatCannotBeLookedAtCountsAsKept) {
  const std::string path = testing::TempDir() + "/no-door";
  EXPECT_FALSE(DoorIsKept(path));
  const pid_t child = fork();
  if (child == 0) {
    rlimit limit = {};
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = 0;
    setrlimit(RLIMIT_NOFILE, &limit);
    _exit(DoorIsKept(path) ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

TEST_F(ChannelTest, HiddenDoorsAreDoorsWithoutAFile) {
  const absl::StatusOr<Fd> one = MakeHiddenDoor();
  const absl::StatusOr<Fd> other = MakeHiddenDoor();
  ASSERT_TRUE(one.ok() && other.ok());
  EXPECT_FALSE(AnswerDoor(*one).has_value());
}

}  // namespace
}  // namespace uc::link
