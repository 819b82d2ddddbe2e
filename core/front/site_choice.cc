#include "core/front/site_choice.h"

#include <netinet/in.h>

#include <algorithm>
#include <utility>

namespace uc::front {
namespace {

constexpr uint16_t kDebuggerFirst = 9229;
constexpr uint16_t kDebuggers = 63;  // 9292 is where rack listens by default

bool IsWildcard(const net::Address& address) {
  if (address.family() == AF_INET6) {
    return IN6_IS_ADDR_UNSPECIFIED(
        &reinterpret_cast<const sockaddr_in6*>(address.get())->sin6_addr);
  }
  return reinterpret_cast<const sockaddr_in*>(address.get())->sin_addr.s_addr == htonl(INADDR_ANY);
}

}  // namespace

bool IsLoopback(const net::Address& address) {
  if (address.family() == AF_INET6) {
    const in6_addr& ip = reinterpret_cast<const sockaddr_in6*>(address.get())->sin6_addr;
    return IN6_IS_ADDR_LOOPBACK(&ip) || (IN6_IS_ADDR_V4MAPPED(&ip) && ip.s6_addr[12] == 127);
  }
  const auto* v4 = reinterpret_cast<const sockaddr_in*>(address.get());
  return (ntohl(v4->sin_addr.s_addr) >> 24) == 127;
}

bool IsDebuggerPort(uint16_t port) {
  return port >= kDebuggerFirst && port < kDebuggerFirst + kDebuggers;
}

SiteChoice::SiteChoice(Where where, std::vector<uint16_t> named)
    : where_(where), named_(std::move(named)) {}

SiteChoice::Rank SiteChoice::RankOf(const WishedSite& wish) const {
  const uint16_t port = wish.address.port();
  if (!wish.any_port) {
    if (std::count(named_.begin(), named_.end(), port) > 0) return Rank::kNamed;
    if (IsDebuggerPort(port)) return Rank::kNever;
  }
  if (where_ == Where::kNamed) return Rank::kNever;
  if (!IsLoopback(wish.address)) return Rank::kPublic;
  // Any port of the loopback is for a process of the program's own, which has to reach this very one.
  return wish.any_port && where_ == Where::kProgram ? Rank::kNever : Rank::kLoopback;
}

SiteChoice::Verdict SiteChoice::Judge(const WishedSite& wish) const {
  const Rank rank = RankOf(wish);
  if (rank == Rank::kNever) return Verdict::kOther;
  if (!chosen_.has_value() || wish.address.port() == chosen_->address.port()) return Verdict::kSite;
  const Rank former = RankOf(*chosen_);
  if (rank == Rank::kNamed) return former == Rank::kNamed ? Verdict::kSite : Verdict::kInstead;
  const bool open = where_ == Where::kProgram && !settled_;
  return open && rank > former ? Verdict::kInstead : Verdict::kOther;
}

void SiteChoice::Choose(const WishedSite& wish) {
  const bool further = chosen_.has_value() && (wish.address.port() == chosen_->address.port() ||
                                               RankOf(*chosen_) == Rank::kNamed);
  if (!further) chosen_ = wish;
}

bool SiteChoice::certain() const {
  if (!chosen_.has_value()) return false;
  if (settled_ || where_ != Where::kProgram) return true;
  const Rank rank = RankOf(*chosen_);
  return rank == Rank::kNamed || (rank == Rank::kPublic && named_.empty());
}

bool Covers(const SiteListener& listener, const WishedSite& wish) {
  const net::Address& here = listener.address;
  if (here.port() != wish.address.port()) return false;
  const bool v6 = here.family() == AF_INET6;
  // [::] alone can take both, and then what is wished has to be found in it.
  if (here.family() != wish.address.family()) return v6 && listener.dual_stack && IsWildcard(here);
  if (wish.dual_stack && IsWildcard(wish.address) && !listener.dual_stack) return false;
  return here == wish.address || IsWildcard(here);
}

}  // namespace uc::front
