// The launcher's end of the door, seen by a process that speaks the protocol without the library.
#include "core/exec/listen_door.h"

#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "core/base/clock.h"
#include "core/exec/abstract_name.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace uc::exec {
namespace {

class ListenDoorTest : public testing::Test {
 protected:
  ListenDoorTest()
      : door_(*ListenDoor::Open(
            absl::StrCat("@uc-door-test-", getpid(), "-", MonotonicNanos()),
            {.may_bind = [this](AskerId id, const Wish&) { Answer(id); },
             .may_listen = [this](AskerId id, const Wish&, Fd) { Answer(id); },
             .listening = [this](AskerId, const net::Address&) { ++listening_; }})) {
    const std::vector<std::string> parts = absl::StrSplit(door_.address(), ',');
    name_ = parts[0];
    secret_ = absl::HexStringToBytes(parts[1]);
  }

  void Answer(AskerId id) {
    ++asked_;
    door_.KeepYours(id);
  }
  Fd Connect() const {
    Fd fd(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    const AbstractName name(name_);
    EXPECT_EQ(connect(fd.get(), name.get(), name.size()), 0) << strerror(errno);
    return fd;
  }
  Packet PacketOf(Say say, const std::string& secret) const {
    Packet packet;
    packet.say = say;
    const net::Address address = *net::Address::Parse("127.0.0.1:4000");
    packet.address_bytes = address.size();
    memcpy(&packet.address, address.get(), address.size());
    memcpy(packet.secret, secret.data(), std::min(secret.size(), sizeof(packet.secret)));
    return packet;
  }
  void Send(const Fd& fd, Say say, const std::string& secret) {
    const Packet packet = PacketOf(say, secret);
    ASSERT_EQ(send(fd.get(), &packet, sizeof(packet), MSG_NOSIGNAL),
              static_cast<ssize_t>(sizeof(packet)));
  }
  // Until nothing is left to do.
  void Serve() {
    for (;;) {
      std::vector<pollfd> watched;
      for (const int fd : door_.descriptors()) watched.push_back({fd, POLLIN, 0});
      if (poll(watched.data(), watched.size(), 0) == 0) return;
      for (const pollfd& one : watched) {
        if (one.revents != 0) door_.OnReadable(one.fd);
      }
    }
  }
  // What came; nullopt: nothing. Closed: `*closed`.
  std::optional<Say> Hear(const Fd& fd, bool* closed) const {
    Packet packet;
    const ssize_t size = recv(fd.get(), &packet, sizeof(packet), 0);
    *closed = size == 0 || (size < 0 && errno != EAGAIN);
    return size > 0 ? std::optional<Say>(packet.say) : std::nullopt;
  }
  bool IsClosed(const Fd& fd) const {
    bool closed = false;
    while (Hear(fd, &closed).has_value()) {
    }
    return closed;
  }
  size_t Connections() const { return door_.descriptors().size() - 1; }

  int asked_ = 0;
  int listening_ = 0;
  ListenDoor door_;
  std::string name_;
  std::string secret_;
};

TEST_F(ListenDoorTest, SecretIsOneOfTooManyToGuess) {
  EXPECT_EQ(secret_.size(), 16u);
  const ListenDoor other = *ListenDoor::Open(absl::StrCat(name_, "-other"),
                                             {.may_bind = {}, .may_listen = {}, .listening = {}});
  EXPECT_NE(std::vector<std::string>(absl::StrSplit(other.address(), ','))[1],
            absl::BytesToHexString(secret_));
}

TEST_F(ListenDoorTest, WhoKnowsTheSecretIsAnsweredAndNeedsItOnlyOnce) {
  const Fd fd = Connect();
  Send(fd, Say::kMayBind, secret_);
  Serve();
  bool closed = false;
  EXPECT_EQ(Hear(fd, &closed), Say::kKeepYours);
  Send(fd, Say::kListening, std::string(16, '\0'));
  Serve();
  EXPECT_EQ(listening_, 1);
  EXPECT_EQ(door_.accepting_pid(), getpid());
}

TEST_F(ListenDoorTest, SameUserAndRootWithoutTheSecretAreNotHeard) {
  std::string nearly = secret_;
  nearly.back() ^= 1;
  for (const std::string& wrong : {std::string(16, '\0'), nearly}) {
    for (const Say say : {Say::kMayBind, Say::kMayListen, Say::kListening, Say::kBusy}) {
      const Fd fd = Connect();
      Send(fd, say, wrong);
      Send(fd, say, secret_);  // too late
      Serve();
      EXPECT_TRUE(IsClosed(fd));
    }
  }
  EXPECT_EQ(asked_ + listening_, 0);
  EXPECT_EQ(Connections(), 0u);
}

TEST_F(ListenDoorTest, StrangersThatSayNothingAreFewAndKeepNobodyOut) {
  std::vector<Fd> strangers;
  for (size_t i = 0; i < 4 * ListenDoor::kStrangersMax; ++i) {
    strangers.push_back(Connect());
    Serve();
  }
  EXPECT_EQ(Connections(), ListenDoor::kStrangersMax);
  EXPECT_TRUE(IsClosed(strangers.front()));
  EXPECT_FALSE(IsClosed(strangers.back()));
  const Fd fd = Connect();
  Send(fd, Say::kMayBind, secret_);
  Serve();
  bool closed = false;
  EXPECT_EQ(Hear(fd, &closed), Say::kKeepYours);
}

TEST_F(ListenDoorTest, OldestQuestionGoesAndWhoListensStays) {
  const Fd listening = Connect();
  Send(listening, Say::kListening, secret_);
  Serve();
  std::vector<Fd> asking;
  for (size_t i = 0; i < ListenDoor::kQuestionsMax + 10; ++i) {
    asking.push_back(Connect());
    Send(asking.back(), Say::kMayBind, secret_);
    Serve();
  }
  EXPECT_EQ(Connections(), ListenDoor::kQuestionsMax + 1);
  EXPECT_TRUE(IsClosed(asking[9]));
  EXPECT_FALSE(IsClosed(asking[10]));
  EXPECT_FALSE(IsClosed(listening));
}

TEST_F(ListenDoorTest, ProcessOfTooManyAddressesIsLetGo) {
  const Fd fd = Connect();
  Send(fd, Say::kListening, secret_);
  Serve();
  for (int port = 1; port < 100 && !IsClosed(fd); ++port) {
    Packet packet = PacketOf(Say::kListening, secret_);
    const net::Address address = *net::Address::Parse(absl::StrCat("127.0.0.1:", port));
    memcpy(&packet.address, address.get(), address.size());
    send(fd.get(), &packet, sizeof(packet), MSG_NOSIGNAL);
    Serve();
  }
  EXPECT_TRUE(IsClosed(fd));
  EXPECT_FALSE(door_.anybody_listens());
}

TEST_F(ListenDoorTest, TallyOfAProgramIsNoMoreThanAProcessCanHave) {
  const Fd fd = Connect();
  Send(fd, Say::kListening, secret_);
  Packet packet = PacketOf(Say::kBusy, secret_);
  packet.open = 7;
  packet.number = UINT32_MAX;
  send(fd.get(), &packet, sizeof(packet), 0);
  Serve();
  EXPECT_EQ(door_.Connections()->open, 7u);
  EXPECT_EQ(door_.Connections()->busy, 7u);
  packet.open = UINT32_MAX;
  send(fd.get(), &packet, sizeof(packet), 0);
  Serve();
  EXPECT_EQ(door_.Connections()->open, 1u << 16);
}

// --- LifePage: what a process writes there ---

class LifePageTest : public testing::Test {
 protected:
  LifePageTest() : page_(*LifePage::Make()) {
    void* const map =
        mmap(nullptr, sizeof(Life), PROT_READ | PROT_WRITE, MAP_SHARED, page_.fd(), 0);
    EXPECT_NE(map, MAP_FAILED);
    life_ = static_cast<Life*>(map);
  }
  ~LifePageTest() override { munmap(life_, sizeof(Life)); }

  LifePage page_;
  Life* life_ = nullptr;
};

TEST_F(LifePageTest, HonestCountsAreAsTheyAre) {
  *life_ = {.turns = 9, .accepts = 5, .closes = 2};
  page_.Read();
  *life_ = {.turns = 10, .accepts = 70'000, .closes = 69'999};
  const Life life = page_.Read();
  EXPECT_EQ(life.turns, 10u);
  EXPECT_EQ(life.accepts, 70'000u);
  EXPECT_EQ(life.closes, 69'999u);
}

TEST_F(LifePageTest, CountersGrowByWhatIsPossibleAndNeverShrink) {
  *life_ = {.turns = UINT64_MAX, .accepts = uint64_t{1} << 62, .closes = 0};
  Life life = page_.Read();
  EXPECT_EQ(life.turns, LifePage::kGrowthMax);
  EXPECT_EQ(life.accepts, LifePage::kGrowthMax);
  EXPECT_EQ(life.accepts - life.closes, LifePage::kOpenMax);
  *life_ = {.turns = 0, .accepts = 3, .closes = uint64_t{1} << 40};
  const Life next = page_.Read();
  EXPECT_EQ(next.turns, life.turns);
  EXPECT_EQ(next.accepts, life.accepts);
  EXPECT_EQ(next.closes, next.accepts);
}

TEST_F(LifePageTest, MovedItRemembersWhatItHasSeen) {
  *life_ = {.turns = 1, .accepts = 1, .closes = 0};
  page_.Read();
  LifePage moved = std::move(page_);
  EXPECT_EQ(moved.Read().accepts, 1u);
}

}  // namespace
}  // namespace uc::exec
