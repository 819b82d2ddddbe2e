#include "tests/net/steering_stage.h"

#include <errno.h>
#include <linux/capability.h>
#include <poll.h>
#include <sys/socket.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "tests/net/capabilities.h"

namespace uc::net {
namespace {

constexpr int kPatienceMs = 10'000;
constexpr int kNobodyComesMs = 100;  // for what must not happen

Address At(const std::string& host, int port) {
  return Address::Parse(absl::StrCat(host, ":", port)).value();
}

std::string HostOf(const Address& address) {
  const std::string text = address.ToString();
  return text.substr(0, text.rfind(':'));
}

}  // namespace

void SteeringStage::SetUp() {
  if (!Has(CAP_BPF) && !Has(CAP_SYS_ADMIN)) {
    GTEST_SKIP() << "without CAP_BPF there is no steering to test";
  }
}

void SteeringStage::Begin(Balance balance, uint32_t slots, const std::vector<std::string>& hosts) {
  absl::StatusOr<Steering> steering = Steering::Load(balance, hosts.size());
  ASSERT_TRUE(steering.ok()) << steering.status();
  steering_.emplace(*std::move(steering));
  addresses_.clear();
  for (const std::string& host : hosts) addresses_.push_back(At(host, 0));
  for (uint32_t slot = 0; slot < slots; ++slot) {
    Bind(slot);
    GoLive(slot);
  }
}

void SteeringStage::Bind(uint32_t slot) {
  std::vector<Fd>& listeners = listeners_[slot];
  listeners.clear();
  for (Address& address : addresses_) {
    absl::StatusOr<Fd> listener = net::Bind(address, listen_);
    ASSERT_TRUE(listener.ok()) << listener.status();
    address = LocalAddress(*listener).value();
    ASSERT_TRUE(StartListening(*listener, address, listen_).ok());
    listeners.push_back(*std::move(listener));
  }
  if (slot >= kSteeredSlotsMax) return;
  absl::StatusOr<SlotLoad> load = SlotLoad::Map(Fd(dup(steering_->state_map())), slot);
  ASSERT_TRUE(load.ok()) << load.status();
  workers_[slot] = std::make_unique<SlotLoad>(*std::move(load));
}

void SteeringStage::Put(uint32_t slot) {
  const absl::Status status = steering_->Put(slot, listeners_[slot]);
  ASSERT_TRUE(status.ok()) << status;
}

void SteeringStage::GoLive(uint32_t slot) {
  Put(slot);
  steering_->SetLive(slot, true);
}

Fd SteeringStage::Client(size_t place, int from) {
  const Address& address = addresses_[place];
  Fd client(socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (from != 0) {
    const int on = 1;
    setsockopt(client.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    const Address own = At(HostOf(address), from);
    EXPECT_EQ(bind(client.get(), own.get(), own.size()), 0) << errno;
  }
  EXPECT_EQ(connect(client.get(), address.get(), address.size()), 0) << errno;
  return client;
}

void SteeringStage::Connect(int count, size_t address) {
  for (int i = 0; i < count; ++i) clients_.push_back(Client(address));
}

void SteeringStage::Take(uint32_t slot, const Fd& listener, size_t* left) {
  while (*left > 0) {
    Fd connection(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!connection.valid()) return;
    workers_[slot]->Accepted(slot);
    accepted_[slot].push_back(std::move(connection));
    --*left;
  }
}

void SteeringStage::Accept(size_t count) {
  while (count > 0) {
    std::vector<pollfd> polled;
    for (const auto& [slot, listeners] : listeners_) {
      for (const Fd& listener : listeners) polled.push_back({listener.get(), POLLIN, 0});
    }
    ASSERT_GT(poll(polled.data(), polled.size(), kPatienceMs), 0) << count << " have not come";
    for (const auto& [slot, listeners] : listeners_) {
      for (const Fd& listener : listeners) Take(slot, listener, &count);
    }
  }
}

size_t SteeringStage::AcceptFrom(uint32_t slot, size_t count) {
  size_t left = count;
  while (left > 0) {
    std::vector<pollfd> polled;
    for (const Fd& listener : listeners_[slot]) polled.push_back({listener.get(), POLLIN, 0});
    if (poll(polled.data(), polled.size(), kNobodyComesMs) <= 0) break;
    const size_t before = left;
    for (const Fd& listener : listeners_[slot]) Take(slot, listener, &left);
    if (left == before) break;  // it was shut down, and will never have anything
  }
  return count - left;
}

void SteeringStage::Close(uint32_t slot, size_t count) {
  std::vector<Fd>& mine = accepted_[slot];
  for (; count > 0 && !mine.empty(); --count) {
    mine.pop_back();
    workers_[slot]->Lost();
  }
}

std::vector<uint32_t> SteeringStage::loads() const {
  std::vector<uint32_t> loads;
  for (const auto& [slot, listeners] : listeners_) loads.push_back(load(slot));
  return loads;
}

std::vector<uint32_t> SteeringStage::pends() const {
  std::vector<uint32_t> pends;
  for (const auto& [slot, listeners] : listeners_) pends.push_back(pend(slot));
  return pends;
}

}  // namespace uc::net
