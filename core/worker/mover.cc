#include "core/worker/mover.h"

#include <poll.h>

#include <algorithm>
#include <utility>

#include "core/worker/connection.h"

namespace uc::worker {
namespace {

constexpr int64_t kGivingNs =
    2'000'000'000;  // how long a worker looks for idle connections to give

}  // namespace

void Mover::BeginLeaving(std::vector<Fd> heirs) {
  std::vector<uint32_t> shares(heirs.size(), Heirs::kUnlimited);
  heirs_.Set(std::move(heirs), std::move(shares));
  service_.moving = heirs_.any() && service_.app_options.protocol == app::Protocol::kHttp;
  service_.moves_left = service_.moving ? Heirs::kUnlimited : 0;
}

void Mover::BeginGiving(std::vector<uint32_t> shares, std::vector<Fd> inboxes) {
  if (service_.draining || service_.app_options.protocol != app::Protocol::kHttp) return;
  heirs_.Set(std::move(inboxes), std::move(shares));
  service_.moving = heirs_.any();
  service_.moves_left = heirs_.wanted();
  giving_until_ns_ = service_.now_ns + kGivingNs;
  for (uint32_t index = 0; index < table_.places() && service_.moves_left > 0; ++index) {
    if (table_.at(index).open()) table_.at(index).BeginMove();
  }
}

void Mover::EndGivingInTime() {
  if (service_.moving && !service_.draining && service_.now_ns >= giving_until_ns_) Stop();
}

void Mover::GiveMovable() {
  moving_now_.clear();
  moving_descriptors_.clear();
  // A place may have come up for two tenants in turn, or twice for one.
  std::sort(service_.movable.begin(), service_.movable.end());
  service_.movable.erase(std::unique(service_.movable.begin(), service_.movable.end()),
                         service_.movable.end());
  for (const uint32_t index : service_.movable) {
    if (!table_.at(index).movable()) continue;
    moving_now_.push_back(index);
    moving_descriptors_.push_back(table_.at(index).descriptor());
  }
  service_.movable.clear();
  const size_t given = service_.moving ? heirs_.Give(moving_descriptors_) : 0;
  for (size_t i = 0; i < given; ++i) table_.at(moving_now_[i]).GiveAway();
  service_.movable.assign(moving_now_.begin() + static_cast<ptrdiff_t>(given), moving_now_.end());
  if (!heirs_.any()) {
    Stop();
  } else if (!service_.movable.empty() && heirs_.full() >= 0 && !room_armed_) {
    room_armed_ = true;
    service_.ring.PollOnce(heirs_.full(), POLLOUT, room_);
  }
}

void Mover::Stop() {
  service_.moving = false;
  service_.moves_left = 0;
  heirs_.Clear();
  for (const uint32_t index : std::exchange(service_.movable, {})) table_.at(index).EndMove();
}

}  // namespace uc::worker
