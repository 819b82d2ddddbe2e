// Claims: one address for one wish, whoever asks.
#include "core/coordinator/claims.h"

#include <errno.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "core/net/address_use.h"
#include "core/net/listener.h"

namespace uc::coordinator {
namespace {

const absl::Time kNow = absl::FromUnixSeconds(1'000);

link::Claim Wish(uint32_t id, uint32_t ordinal, std::string address) {
  link::Claim claim;
  claim.id = id;
  claim.ordinal = ordinal;
  claim.address = std::move(address);
  return claim;
}

TEST(Claims, TheSameWishGetsTheSameAddressAndAnotherAnother) {
  Claims claims;
  const link::Claimed first = claims.Answer(Wish(7, 1, "127.0.0.1:0"), kNow);
  EXPECT_EQ(first.id, 7u);
  EXPECT_EQ(first.error, 0u);
  EXPECT_EQ(claims.Answer(Wish(8, 1, "127.0.0.1:0"), kNow).address, first.address);
  EXPECT_NE(claims.Answer(Wish(9, 2, "127.0.0.1:0"), kNow).address, first.address);
  EXPECT_EQ(claims.addresses().size(), 2u);
}

TEST(Claims, WhoSaysNoSaysWhy) {
  Claims claims;
  const link::Claimed answer = claims.Answer(Wish(7, 0, "nowhere"), kNow);
  EXPECT_EQ(answer.id, 7u);
  EXPECT_EQ(answer.error, static_cast<uint32_t>(EADDRNOTAVAIL));
  EXPECT_FALSE(answer.address.empty());
  EXPECT_TRUE(claims.addresses().empty());
}

TEST(Claims, WhatAnotherClusterHoldsIsInUse) {
  Claims others;
  const std::string address = others.Answer(Wish(1, 0, "127.0.0.1:0"), kNow).address;
  Claims claims;
  EXPECT_EQ(claims.Answer(Wish(1, 0, address), kNow).error, static_cast<uint32_t>(EADDRINUSE));
}

TEST(Claims, WhatIsHeldOnThePortIsInTheWayOnlyOfOthers) {
  Claims claims;
  const net::Address first = *claims.Take(Wish(1, 0, "127.0.0.1:0"), kNow);
  const std::string port = absl::StrCat(first.port());
  const link::Claim wider = Wish(2, 0, "0.0.0.0:" + port);
  EXPECT_EQ(claims.Answer(wider, kNow).error, static_cast<uint32_t>(EADDRINUSE));
  EXPECT_EQ(claims.Answer(wider, kNow, Claims::BesideHeld::kYes).error, 0u);
  Claims others;
  EXPECT_EQ(others.Answer(wider, kNow, Claims::BesideHeld::kYes).error,
            static_cast<uint32_t>(EADDRINUSE));
}

// --- What nobody listens on ---

class GivenBack : public testing::Test {
 protected:
  GivenBack() : address_(*claims_.Take(Wish(1, 0, "127.0.0.1:0"), kNow)) {}
  size_t GiveBack(absl::Duration after) { return claims_.GiveBack(kNow + after).size(); }

  Claims claims_;
  const net::Address address_;
};

TEST_F(GivenBack, AWhileAfterItWasAskedForAndNotBefore) {
  EXPECT_EQ(claims_.due(), kNow + Claims::kGiveBackAfter);
  EXPECT_EQ(GiveBack(Claims::kGiveBackAfter / 2), 0u);
  EXPECT_FALSE(net::IsUnused(address_, false));
  EXPECT_EQ(GiveBack(Claims::kGiveBackAfter), 1u);
  EXPECT_TRUE(net::IsUnused(address_, false));
  EXPECT_TRUE(claims_.addresses().empty());
  EXPECT_EQ(claims_.ToText(), "");
  EXPECT_EQ(claims_.due(), absl::InfiniteFuture());
}

TEST_F(GivenBack, NotWhereASlotListens) {
  claims_.Listened(address_);
  EXPECT_EQ(claims_.due(), absl::InfiniteFuture());
  EXPECT_EQ(GiveBack(absl::Hours(1)), 0u);
  EXPECT_FALSE(net::IsUnused(address_, false));
}

TEST_F(GivenBack, NotWhileAProgramHasBoundItHoweverLongItTakesToListen) {
  std::optional<Fd> bound = *net::Bind(address_, {});
  EXPECT_EQ(GiveBack(Claims::kGiveBackAfter), 0u);
  EXPECT_EQ(claims_.due(), kNow + 2 * Claims::kGiveBackAfter);
  bound.reset();
  EXPECT_FALSE(net::IsUnused(address_, false)) << "the claim itself is there again";
  EXPECT_EQ(GiveBack(2 * Claims::kGiveBackAfter), 1u);
}

TEST_F(GivenBack, LaterWhereItIsAskedForAgain) {
  claims_.Answer(Wish(2, 0, "127.0.0.1:0"), kNow + Claims::kGiveBackAfter / 2);
  EXPECT_EQ(GiveBack(Claims::kGiveBackAfter), 0u);
  EXPECT_EQ(GiveBack(2 * Claims::kGiveBackAfter), 1u);
}

TEST_F(GivenBack, AlsoByTheCoordinatorThatComesAfter) {
  const std::string text = claims_.ToText();
  claims_ = Claims();
  Claims next;
  next.Restore(text, kNow);
  ASSERT_EQ(next.addresses().size(), 1u);
  EXPECT_EQ(next.GiveBack(kNow + Claims::kGiveBackAfter).size(), 1u);
  EXPECT_TRUE(net::IsUnused(address_, false));
}

TEST(Claims, PlacesThatWereGivenBackAreFreeAgain) {
  Claims claims;
  for (uint32_t i = 0; i < link::kAddressesMax; ++i) {
    ASSERT_EQ(claims.Answer(Wish(i, i, "127.0.0.1:0"), kNow).error, 0u);
  }
  EXPECT_NE(claims.Answer(Wish(99, 99, "127.0.0.1:0"), kNow).error, 0u);
  EXPECT_EQ(claims.GiveBack(kNow + Claims::kGiveBackAfter).size(), link::kAddressesMax);
  EXPECT_EQ(claims.Answer(Wish(99, 99, "127.0.0.1:0"), kNow).error, 0u);
}

}  // namespace
}  // namespace uc::coordinator
