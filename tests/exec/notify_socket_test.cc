#include "core/exec/notify_socket.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace uc::exec {
namespace {

class NotifySocketTest : public testing::Test {
 protected:
  NotifySocketTest() {
    char path[] = "/tmp/uc-notify-XXXXXX";
    place_ = mkdtemp(path);
    socket_.emplace(Open());
  }
  ~NotifySocketTest() override {
    socket_.reset();
    std::filesystem::remove_all(place_);
  }

  NotifySocket Open() { return *NotifySocket::Open(geteuid(), getegid(), {place_}); }
  static void Say(const NotifySocket& socket, const std::string& text) {
    const Fd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    sockaddr_un name = {};
    name.sun_family = AF_UNIX;
    socket.path().copy(name.sun_path, sizeof(name.sun_path) - 1);
    EXPECT_EQ(sendto(fd.get(), text.data(), text.size(), MSG_DONTWAIT,
                     reinterpret_cast<const sockaddr*>(&name), sizeof(name)),
              static_cast<ssize_t>(text.size()))
        << strerror(errno);
  }
  // How many folders of sockets there are.
  int Folders() const {
    int count = 0;
    for (const auto& one : std::filesystem::recursive_directory_iterator(place_)) {
      count += one.path().filename().string().rfind("notify-", 0) == 0;
    }
    return count;
  }

  std::string place_;
  std::optional<NotifySocket> socket_;
};

TEST_F(NotifySocketTest, HearsReadyAmongOtherWords) {
  EXPECT_FALSE(socket_->HeardReady());
  Say(*socket_, "STATUS=loading");
  EXPECT_FALSE(socket_->HeardReady());
  Say(*socket_, "STATUS=fine\nREADY=1\nMAINPID=1");
  EXPECT_TRUE(socket_->HeardReady());
  Say(*socket_, "XREADY=1");
  EXPECT_FALSE(socket_->HeardReady());
}

TEST_F(NotifySocketTest, OnlyItsUserCanEnterItsFolder) {
  struct stat entry;
  const std::string folder = socket_->path().substr(0, socket_->path().rfind('/'));
  ASSERT_EQ(stat(folder.c_str(), &entry), 0);
  EXPECT_EQ(entry.st_mode & 07777, 0700u);
  EXPECT_EQ(entry.st_uid, geteuid());
  ASSERT_EQ(stat(socket_->path().c_str(), &entry), 0);
  EXPECT_EQ(entry.st_mode & 07777, 0600u);
}

TEST_F(NotifySocketTest, FolderGoesWithItsSocket) {
  NotifySocket moved = std::move(*socket_);
  EXPECT_EQ(Folders(), 1);
  socket_.emplace(std::move(moved));
  EXPECT_EQ(Folders(), 1);
  socket_.reset();
  EXPECT_EQ(Folders(), 0);
}

TEST_F(NotifySocketTest, FolderOfALauncherThatWasKilledIsRemovedByTheNextOne) {
  const pid_t child = fork();
  if (child == 0) {
    NotifySocket forgotten = Open();
    _exit(0);  // as by SIGKILL: no destructor runs
  }
  EXPECT_EQ(waitpid(child, nullptr, 0), child);
  EXPECT_EQ(Folders(), 2);
  const NotifySocket next = Open();
  EXPECT_EQ(Folders(), 2) << "the living one's and the new one";
  Say(*socket_, "READY=1");
  EXPECT_TRUE(socket_->HeardReady());
}

TEST_F(NotifySocketTest, FloodIsHeardInPieces) {
  int sent = 0;
  const Fd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_un name = {};
  name.sun_family = AF_UNIX;
  socket_->path().copy(name.sun_path, sizeof(name.sun_path) - 1);
  while (sendto(fd.get(), "X=1", 3, MSG_DONTWAIT, reinterpret_cast<const sockaddr*>(&name),
                sizeof(name)) == 3) {
    ++sent;
  }
  ASSERT_GT(sent, 0);
  for (int heard = 0; heard < sent; heard += NotifySocket::kPacketsMax) {
    EXPECT_FALSE(socket_->HeardReady());
  }
  Say(*socket_, "READY=1");
  EXPECT_TRUE(socket_->HeardReady());
}

// --- Errors ---

TEST_F(NotifySocketTest, NowhereIsAnErrorThatSaysWhere) {
  const absl::Status status =
      NotifySocket::Open(geteuid(), getegid(), {"/no/such", "/proc"}).status();
  EXPECT_THAT(std::string(status.message()), testing::HasSubstr("/no/such, /proc"));
}

}  // namespace
}  // namespace uc::exec
