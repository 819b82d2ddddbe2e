// The steering's beginning, its end and its next life: who may load it, what survives a coordinator, what is refused.
#include <fcntl.h>
#include <linux/capability.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <utility>
#include <vector>

#include "core/net/bpf_capability.h"
#include "core/net/random_steering.h"
#include "core/net/slot_load.h"
#include "core/net/steering.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/net/capabilities.h"
#include "tests/net/steering_stage.h"

namespace uc::net {
namespace {

using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;

std::vector<Fd> Copies(const Steering& steering) {
  std::vector<Fd> copies;
  for (const int fd : steering.descriptors()) copies.emplace_back(fcntl(fd, F_DUPFD_CLOEXEC, 3));
  return copies;
}

class SteeringLife : public SteeringStage {
 protected:
  // The coordinator goes, and a later one takes its descriptors.
  void Recover() {
    std::vector<Fd> kept = Copies(*steering_);
    steering_.reset();
    absl::StatusOr<Steering> again = Steering::Recover(std::move(kept));
    ASSERT_TRUE(again.ok()) << again.status();
    steering_.emplace(*std::move(again));
  }
  static std::string Refusal(std::vector<Fd> descriptors) {
    const absl::StatusOr<Steering> steering = Steering::Recover(std::move(descriptors));
    EXPECT_TRUE(absl::IsFailedPrecondition(steering.status())) << steering.status();
    return std::string(steering.status().message());
  }
  Steering Another(Balance balance = Balance::kLeastConnections, size_t addresses = 1) {
    return Steering::Load(balance, addresses).value();
  }
};

// --- Another coordinator ---

TEST_F(SteeringLife, ProgramSteersOnWithoutItsCoordinator) {
  Begin(Balance::kLeastConnections, 4);
  const std::vector<Fd> kept = Copies(*steering_);
  Steering::Recover(Copies(*steering_)).IgnoreError();
  steering_.reset();
  Connect(8);
  for (uint32_t slot = 0; slot < 4; ++slot) EXPECT_EQ(AcceptFrom(slot, 2), 2u);
}

TEST_F(SteeringLife, RecoveredOneKnowsAndGoesOnWithEverything) {
  Begin(Balance::kLeastConnections, 3, {"127.0.0.1", "127.0.0.2"});
  Connect(6);
  Accept(6);
  Recover();
  EXPECT_EQ(steering_->balance(), Balance::kLeastConnections);
  EXPECT_EQ(steering_->addresses(), 2u);
  EXPECT_THAT(loads(), Each(2u));
  EXPECT_TRUE(steering_->Read(2).live);
  steering_->Remove(1);
  Bind(3);
  GoLive(3);
  Connect(2);
  Connect(4, 1);
  EXPECT_THAT(pends(), ElementsAre(2, 0, 1, 3));
}

TEST_F(SteeringLife, SlotsThatWereLeftOutAreStillKnownWhenTheLastIsRemoved) {
  Begin(Balance::kRoundRobin, 4);
  Recover();
  steering_->Remove(3);
  Connect(3);
  Accept(3);
  EXPECT_THAT(loads(), ElementsAre(1, 1, 1, 0));
}

TEST_F(SteeringLife, EachBalanceIsRecognised) {
  for (const Balance balance :
       {Balance::kLeastConnections, Balance::kRoundRobin, Balance::kRandom, Balance::kHash}) {
    const Steering steering = Another(balance);
    const absl::StatusOr<Steering> again = Steering::Recover(Copies(steering));
    ASSERT_TRUE(again.ok()) << again.status();
    EXPECT_EQ(again->balance(), balance);
  }
}

// --- Capabilities ---

// Loads each balance, gives the capability up, and lives a slot's life. "" or what went wrong.
std::string LifeOfASlot() {
  for (const Balance balance :
       {Balance::kLeastConnections, Balance::kRoundRobin, Balance::kRandom, Balance::kHash}) {
    absl::StatusOr<Steering> steering = Steering::Load(balance, 2);
    if (!steering.ok()) return steering.status().ToString();
  }
  absl::StatusOr<Steering> steering = Steering::Load(Balance::kLeastConnections, 1);
  if (!steering.ok()) return steering.status().ToString();
  if (!DropBpfCapability()) return "it held no CAP_BPF";
  if (DropBpfCapability()) return "it still held CAP_BPF";
  if (!absl::IsPermissionDenied(Steering::Load(Balance::kHash, 1).status())) return "not given up";
  std::vector<Fd> listeners;
  const Address address = Address::Parse("127.0.0.1:0").value();
  listeners.push_back(Bind(address, ListenOptions{}).value());
  if (!StartListening(listeners[0], address, ListenOptions{}).ok()) return "no listener";
  if (absl::Status status = steering->Put(0, listeners); !status.ok()) return status.ToString();
  steering->SetLive(0, true);
  if (absl::Status status = steering->Put(0, listeners); !status.ok()) return status.ToString();
  absl::StatusOr<Steering> again = Steering::Recover(Copies(*steering));
  if (!again.ok()) return again.status().ToString();
  const absl::StatusOr<SlotLoad> load = SlotLoad::Map(Fd(dup(again->state_map())), 0);
  if (!load.ok()) return load.status().ToString();
  again->Remove(0);
  if (absl::Status status = again->Put(0, listeners); !status.ok()) return status.ToString();
  return "well";
}

TEST_F(SteeringLife, NeedsOneCapabilityAndThatOnlyToBegin) {
  EXPECT_EQ(SaidWith({CAP_BPF}, LifeOfASlot), "well");
}

TEST_F(SteeringLife, WithoutThePermissionOneLineSaysSo) {
  const std::string said = SaidWith({}, [] {
    const absl::StatusOr<Steering> steering = Steering::Load(Balance::kLeastConnections, 1);
    return steering.ok() ? "it was permitted" : steering.status().ToString();
  });
  EXPECT_THAT(said, HasSubstr("PERMISSION_DENIED"));
  EXPECT_THAT(said, HasSubstr("CAP_BPF"));
  EXPECT_EQ(said.find('\n'), std::string::npos);
}

// --- What is refused ---

TEST_F(SteeringLife, ForeignDescriptorsAreRefused) {
  const Steering steering = Another();
  std::vector<Fd> descriptors = Copies(steering);
  descriptors.pop_back();
  EXPECT_THAT(Refusal(std::move(descriptors)), HasSubstr("2 descriptors"));
  EXPECT_THAT(Refusal({}), HasSubstr("0 descriptors"));

  for (size_t place = 0; place < 3; ++place) {
    descriptors = Copies(steering);
    descriptors[place] = Fd(open("/dev/null", O_RDWR | O_CLOEXEC));
    EXPECT_THAT(Refusal(std::move(descriptors)), HasSubstr("is no BPF")) << place;
    descriptors = Copies(steering);
    descriptors[place].Reset();
    EXPECT_THAT(Refusal(std::move(descriptors)), HasSubstr("is no BPF")) << place;
  }
}

TEST_F(SteeringLife, DescriptorsInAnotherOrderAreRefused) {
  const Steering steering = Another();
  std::vector<Fd> descriptors = Copies(steering);
  std::swap(descriptors[0], descriptors[1]);
  EXPECT_THAT(Refusal(std::move(descriptors)), HasSubstr("is not the state map"));
  descriptors = Copies(steering);
  std::swap(descriptors[1], descriptors[2]);
  EXPECT_THAT(Refusal(std::move(descriptors)), HasSubstr("is no BPF map"));
}

TEST_F(SteeringLife, PartsOfTwoSteeringsAreRefused) {
  const Steering one = Another();
  const Steering other = Another();
  for (size_t place = 0; place < 3; ++place) {
    std::vector<Fd> descriptors = Copies(one);
    descriptors[place] = std::move(Copies(other)[place]);
    EXPECT_THAT(Refusal(std::move(descriptors)), HasSubstr("is not the program")) << place;
  }
}

TEST_F(SteeringLife, StateOfAnotherVersionIsRefused) {
  const Steering steering = Another();
  const MappedState state = MapSteeringState(Copies(steering)[0]).value();
  state->version = kSteeringVersion + 1;
  EXPECT_THAT(Refusal(Copies(steering)), HasSubstr("version 2"));
  state->version = kSteeringVersion;
  state->balance = 1;  // not what its program does
  EXPECT_THAT(Refusal(Copies(steering)), HasSubstr("is not the program"));
  state->balance = 77;
  Refusal(Copies(steering));
}

TEST_F(SteeringLife, SlotThatCannotBePutIsNotLive) {
  Begin(Balance::kLeastConnections, 2);
  const auto refusal = [this](uint32_t slot, std::vector<Fd> listeners) {
    const absl::Status status = steering_->Put(slot, listeners);
    EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
    return std::string(status.message());
  };
  EXPECT_THAT(refusal(1, {}), HasSubstr("0 listeners for 1 addresses"));
  EXPECT_FALSE(steering_->Read(1).live);
  EXPECT_THAT(refusal(kSteeredSlotsMax, {}), HasSubstr("256 slots at most"));
  std::vector<Fd> deaf;  // bound, and does not listen
  deaf.push_back(net::Bind(addresses_[0], listen_).value());
  EXPECT_THAT(refusal(2, std::move(deaf)), HasSubstr("cannot be steered to"));
  std::vector<Fd> foreign;
  foreign.emplace_back(open("/dev/null", O_RDWR | O_CLOEXEC));
  EXPECT_THAT(refusal(2, std::move(foreign)), HasSubstr("cannot be steered to"));
  EXPECT_FALSE(steering_->Read(2).live);
}

TEST_F(SteeringLife, WorkerIsToldWhenItHasNoRow) {
  const Steering steering = Another();
  EXPECT_FALSE(SlotLoad::Map(Copies(steering)[0], kSteeredSlotsMax).ok());
  EXPECT_FALSE(SlotLoad::Map(Fd(open("/dev/null", O_RDWR | O_CLOEXEC)), 0).ok());
  EXPECT_FALSE(SlotLoad::Map(Fd(), 0).ok());
}

TEST(ParseBalance, KnowsItsWordsAndNamesThem) {
  for (const Balance balance :
       {Balance::kLeastConnections, Balance::kRoundRobin, Balance::kRandom, Balance::kHash}) {
    EXPECT_EQ(ParseBalance(ToString(balance)).value(), balance);
  }
  for (const char* wrong : {"", "least", "Random", "round_robin"}) {
    EXPECT_THAT(ParseBalance(wrong).status().ToString(), HasSubstr("expected least-connections"));
  }
}

// --- Without any capability ---

// The connections that each of three listeners got of 300, by chance.
std::string ByChance() {
  Address address = Address::Parse("127.0.0.1:0").value();
  std::vector<Fd> listeners;
  for (int i = 0; i < 3; ++i) {
    listeners.push_back(Bind(address, ListenOptions{}).value());
    address = LocalAddress(listeners[0]).value();
    if (!StartListening(listeners.back(), address, ListenOptions{}).ok()) return "no listener";
  }
  if (absl::Status status = AttachRandom(listeners[0], 2); !status.ok()) return status.ToString();
  if (absl::Status status = AttachRandom(listeners[0], 3); !status.ok()) return status.ToString();
  std::vector<Fd> clients;
  for (int i = 0; i < 300; ++i) {
    clients.emplace_back(socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (connect(clients.back().get(), address.get(), address.size()) != 0) return "no connection";
  }
  for (const Fd& listener : listeners) {
    int count = 0;
    while (Fd(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC)).valid()) ++count;
    // Six standard deviations of a binomial with 300 tries and 1/3: 49.
    if (count < 50 || count > 150) return "uneven";
  }
  return "even";
}

TEST(RandomSteering, SpreadsWithoutAnyCapability) { EXPECT_EQ(SaidWith({}, ByChance), "even"); }

TEST(RandomSteering, SocketThatDoesNotListenYetIsLeftAlone) {
  Address address = Address::Parse("127.0.0.1:0").value();
  const Fd first = Bind(address, ListenOptions{}).value();
  address = LocalAddress(first).value();
  const Fd second = Bind(address, ListenOptions{}).value();
  EXPECT_TRUE(absl::IsFailedPrecondition(AttachRandom(first, 1)));
  EXPECT_FALSE(Listens(first));
  EXPECT_TRUE(StartListening(second, address, ListenOptions{}).ok());
  EXPECT_TRUE(AttachRandom(second, 1).ok());
  const absl::Status status = StartListening(first, address, ListenOptions{});
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_TRUE(Listens(first));
}

TEST(RandomSteering, SaysWhatItCannotBeAttachedTo) {
  const absl::Status status = AttachRandom(Fd(open("/dev/null", O_RDWR | O_CLOEXEC)), 2);
  EXPECT_THAT(status.ToString(), HasSubstr("chance cannot be attached"));
}

}  // namespace
}  // namespace uc::net
