// Who is named when an address is taken: on this machine, and on made-up ones.
#include "core/net/address_holder.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "core/base/fd.h"
#include "core/net/listener.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace uc::net {
namespace {

using testing::HasSubstr;
using testing::MatchesRegex;

Address Of(const std::string& text) { return Address::Parse(text).value(); }

class AddressHolderTest : public testing::Test {
 protected:
  AddressHolderTest() {
    std::string pattern = absl::StrCat(testing::TempDir(), "/holder-XXXXXX");
    root_ = mkdtemp(pattern.data());
    std::filesystem::create_directories(root_ + "/proc/net");
  }
  ~AddressHolderTest() override { std::filesystem::remove_all(root_); }

  // A line of /proc/net/tcp or tcp6. `local` is as the kernel writes it.
  void Socket(const std::string& table, const std::string& local, const std::string& state,
              int user, int inode) {
    std::ofstream file(root_ + "/proc/net/" + table, std::ios::app);
    if (file.tellp() == 0) file << "  sl  local_address rem_address   st ...\n";
    file << "   0: " << local << " 00000000:0000 " << state
         << " 00000000:00000000 00:00000000 00000000 " << user << "        0 " << inode
         << " 1 0000000000000000 100 0 0 10 0\n";
  }
  void Process(int process, const std::string& name, int inode) {
    const std::string folder = absl::StrCat(root_, "/proc/", process);
    std::filesystem::create_directories(folder + "/fd");
    std::filesystem::create_symlink("/dev/null", folder + "/fd/0");
    std::filesystem::create_symlink(absl::StrCat("socket:[", inode, "]"), folder + "/fd/3");
    std::ofstream(folder + "/comm") << name << "\n";
  }
  std::string Holder(const std::string& address) {
    const std::optional<AddressHolder> holder = FindAddressHolder(Of(address), root_);
    return holder.has_value() ? holder->ToString() : "nobody";
  }

  std::string root_;
};

TEST_F(AddressHolderTest, ThisProcessIsFoundOnThisMachine) {
  for (const char* text : {"127.0.0.1:0", "[::1]:0"}) {
    const absl::StatusOr<Fd> fd = Bind(Of(text), {});
    if (!fd.ok()) continue;  // no IPv6 here
    ASSERT_TRUE(StartListening(*fd, Of(text), {}).ok());
    const std::optional<AddressHolder> holder = FindAddressHolder(*LocalAddress(*fd));
    ASSERT_TRUE(holder.has_value()) << text;
    EXPECT_EQ(holder->process, getpid());
    EXPECT_EQ(holder->user, geteuid());
    EXPECT_THAT(holder->ToString(), MatchesRegex("process [0-9]+ \\(.+\\) of user id [0-9]+"));
  }
}

TEST_F(AddressHolderTest, RefusedProbeAndBindNameTheProcess) {
  const Fd foreign(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const Address any = Of("127.0.0.1:0");
  ASSERT_EQ(bind(foreign.get(), any.get(), any.size()), 0);
  ASSERT_EQ(listen(foreign.get(), 1), 0);
  const Address address = *LocalAddress(foreign);
  for (const absl::Status& status : {ProbeFree(address), Bind(address, {}).status()}) {
    EXPECT_THAT(std::string(status.message()),
                HasSubstr(absl::StrCat("in use by process ", getpid(), " (")));
    EXPECT_THAT(std::string(status.message()), HasSubstr("choose another --listen"));
  }
}

TEST_F(AddressHolderTest, NobodyListensOnAFreeAddress) {
  EXPECT_FALSE(FindAddressHolder(Of("127.0.0.1:0")).has_value());
}

// Needs root: a group of SO_REUSEPORT sockets belongs to the user id of its first.
TEST_F(AddressHolderTest, OtherUserOfTheSameAddressIsToldAboutUserIds) {
  const absl::StatusOr<Fd> fd = Bind(Of("127.0.0.1:0"), {});
  const Address address = *LocalAddress(*fd);
  ASSERT_TRUE(StartListening(*fd, address, {}).ok());
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  const Fd reader(ends[0]);
  Fd writer(ends[1]);
  const pid_t child = fork();
  if (child == 0) {
    if (setuid(65534) != 0) _exit(1);
    const std::string text = Bind(address, {}).status().ToString();
    _exit(write(writer.get(), text.data(), text.size()) < 0);
  }
  writer.Reset();
  char text[4096];
  const ssize_t size = read(reader.get(), text, sizeof(text));
  waitpid(child, nullptr, 0);
  if (size <= 0) GTEST_SKIP() << "there is no other user to become";
  const std::string said(text, size);
  EXPECT_THAT(said, HasSubstr(absl::StrCat(" of user id ", geteuid(), ";")));
  EXPECT_THAT(said, HasSubstr("must bind as one user, and this one has user id 65534"));
}

TEST_F(AddressHolderTest, ListenerOnTheAddressItselfIsFound) {
  Socket("tcp", "0100007F:1F90", "0A", 33, 111);
  Process(4711, "nginx", 111);
  EXPECT_EQ(Holder("127.0.0.1:8080"), "process 4711 (nginx) of user id 33");
}

TEST_F(AddressHolderTest, OldestProcessIsNamed) {
  Socket("tcp", "0100007F:1F90", "0A", 0, 111);
  Process(900, "worker", 111);
  Process(89, "coordinator", 111);
  EXPECT_EQ(Holder("127.0.0.1:8080"), "process 89 (coordinator) of user id 0");
}

TEST_F(AddressHolderTest, ProcessThatMayNotBeSeenIsNamedByItsUser) {
  Socket("tcp", "0100007F:1F90", "0A", 33, 111);
  EXPECT_EQ(Holder("127.0.0.1:8080"), "a process of user id 33");
}

TEST_F(AddressHolderTest, WildcardsStandInTheWayBothWays) {
  Socket("tcp", "00000000:1F90", "0A", 1, 111);
  Socket("tcp", "0100007F:1F91", "0A", 2, 112);
  EXPECT_EQ(Holder("127.0.0.1:8080"), "a process of user id 1");
  EXPECT_EQ(Holder("0.0.0.0:8081"), "a process of user id 2");
}

TEST_F(AddressHolderTest, ListenerOfBothFamiliesStandsInTheWayOfIpv4) {
  Socket("tcp6", "00000000000000000000000000000000:1F90", "0A", 1, 111);
  Socket("tcp6", "0000000000000000FFFF00000100007F:1F91", "0A", 2, 112);
  for (const char* address : {"127.0.0.1:8080", "0.0.0.0:8080", "[::]:8080", "[::1]:8080"}) {
    EXPECT_EQ(Holder(address), "a process of user id 1") << address;
  }
  EXPECT_EQ(Holder("127.0.0.1:8081"), "a process of user id 2");
  EXPECT_EQ(Holder("0.0.0.0:8081"), "a process of user id 2");
}

TEST_F(AddressHolderTest, Ipv4ListenerIsNotInTheWayOfIpv6) {
  Socket("tcp", "00000000:1F90", "0A", 1, 111);
  EXPECT_EQ(Holder("[::1]:8080"), "nobody");
}

TEST_F(AddressHolderTest, OtherPortsAndAddressesAreNotInTheWay) {
  Socket("tcp", "0100007F:1F91", "0A", 1, 111);
  Socket("tcp", "0200007F:1F90", "0A", 1, 112);
  EXPECT_EQ(Holder("127.0.0.1:8080"), "nobody");
}

TEST_F(AddressHolderTest, ConnectionsAreNotListeners) {
  Socket("tcp", "0100007F:1F90", "01", 1, 111);
  EXPECT_EQ(Holder("127.0.0.1:8080"), "nobody");
}

TEST_F(AddressHolderTest, NonsenseAndMissingTablesNameNobody) {
  EXPECT_EQ(Holder("127.0.0.1:8080"), "nobody");
  std::ofstream(root_ + "/proc/net/tcp") << "header\n\nx y z\n 0: nonsense a 0A b c d e f g\n";
  EXPECT_EQ(Holder("127.0.0.1:8080"), "nobody");
}

}  // namespace
}  // namespace uc::net
