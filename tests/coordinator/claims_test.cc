// Claims: one address for one wish, whoever asks.
#include "core/coordinator/claims.h"

#include <errno.h>
#include <gtest/gtest.h>

#include <string>

namespace uc::coordinator {
namespace {

link::Claim Wish(uint32_t id, uint32_t ordinal, std::string address) {
  link::Claim claim;
  claim.id = id;
  claim.ordinal = ordinal;
  claim.address = std::move(address);
  return claim;
}

TEST(Claims, TheSameWishGetsTheSameAddressAndAnotherAnother) {
  Claims claims;
  const link::Claimed first = claims.Answer(Wish(7, 1, "127.0.0.1:0"));
  EXPECT_EQ(first.id, 7u);
  EXPECT_EQ(first.error, 0u);
  EXPECT_EQ(claims.Answer(Wish(8, 1, "127.0.0.1:0")).address, first.address);
  EXPECT_NE(claims.Answer(Wish(9, 2, "127.0.0.1:0")).address, first.address);
  EXPECT_EQ(claims.addresses().size(), 2u);
}

TEST(Claims, WhoSaysNoSaysWhy) {
  Claims claims;
  const link::Claimed answer = claims.Answer(Wish(7, 0, "nowhere"));
  EXPECT_EQ(answer.id, 7u);
  EXPECT_EQ(answer.error, static_cast<uint32_t>(EADDRNOTAVAIL));
  EXPECT_FALSE(answer.address.empty());
  EXPECT_TRUE(claims.addresses().empty());
}

TEST(Claims, WhatAnotherClusterHoldsIsInUse) {
  Claims others;
  const std::string address = others.Answer(Wish(1, 0, "127.0.0.1:0")).address;
  Claims claims;
  EXPECT_EQ(claims.Answer(Wish(1, 0, address)).error, static_cast<uint32_t>(EADDRINUSE));
}

}  // namespace
}  // namespace uc::coordinator
