// Which clients are tunnelled: by their first bytes, and by what the server has shown of itself.
#include "core/front/protocol_choice.h"

#include <string_view>

#include "gtest/gtest.h"

namespace uc::front {
namespace {

using worker::ClientProtocol;
using Way = ProtocolChoice::Way;
using Patience = ProtocolChoice::Patience;

constexpr char kHttp1[] = "GET / HTTP/1.1\r\n";
constexpr char kTls[] = "\x16\x03\x01";
constexpr char kHttp2[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
constexpr char kOther[] = "*1\r\n$4\r\nPING\r\n";
constexpr char kUndecided[] = "hello";
constexpr char kNothing[] = "";
constexpr const char* kAll[] = {kHttp1, kTls, kHttp2, kOther, kUndecided, kNothing};

TEST(ProtocolChoiceTest, OfAnUnknownServerAllButHttp1IsTunnelled) {
  const ProtocolChoice choice(ClientProtocol::kAuto);
  EXPECT_EQ(choice.Of(kHttp1, Patience::kSome), Way::kHttp);
  EXPECT_EQ(choice.Of(kTls, Patience::kSome), Way::kTunnel);
  EXPECT_EQ(choice.Of(kHttp2, Patience::kSome), Way::kTunnel);
  EXPECT_EQ(choice.Of(kOther, Patience::kSome), Way::kTunnel);
  EXPECT_EQ(choice.Of(kUndecided, Patience::kSome), Way::kWait);
  EXPECT_EQ(choice.Of(kUndecided, Patience::kOver), Way::kTunnel);
}

TEST(ProtocolChoiceTest, WhoSaysNothingWaitsForTheServersFirstWords) {
  ProtocolChoice choice(ClientProtocol::kAuto);
  EXPECT_TRUE(choice.ServerMaySpeakFirst());
  EXPECT_EQ(choice.Of(kNothing, Patience::kSome), Way::kWait);
  EXPECT_EQ(choice.Of(kNothing, Patience::kOver), Way::kWait);
}

TEST(ProtocolChoiceTest, AServerThatAnswersHttpGetsNoBytesOfAnUnknownProtocol) {
  ProtocolChoice choice(ClientProtocol::kAuto);
  choice.ServerAnswersHttp();
  EXPECT_FALSE(choice.ServerMaySpeakFirst());
  EXPECT_EQ(choice.Of(kHttp1, Patience::kSome), Way::kHttp);
  EXPECT_EQ(choice.Of(kTls, Patience::kSome), Way::kTunnel);
  EXPECT_EQ(choice.Of(kHttp2, Patience::kSome), Way::kTunnel);
  EXPECT_EQ(choice.Of(kOther, Patience::kSome), Way::kHttp);
  EXPECT_EQ(choice.Of(kUndecided, Patience::kSome), Way::kWait);
  EXPECT_EQ(choice.Of(kUndecided, Patience::kOver), Way::kHttp);
  EXPECT_EQ(choice.Of(kNothing, Patience::kOver), Way::kHttp);
}

TEST(ProtocolChoiceTest, AServerThatSpeaksFirstHasTunnelsOnly) {
  ProtocolChoice choice(ClientProtocol::kAuto);
  choice.ServerSpeaksFirst();
  EXPECT_FALSE(choice.ServerMaySpeakFirst());
  for (const char* bytes : kAll)
    EXPECT_EQ(choice.Of(bytes, Patience::kSome), Way::kTunnel) << bytes;
}

TEST(ProtocolChoiceTest, WhatIsKnownOfTheServerStays) {
  ProtocolChoice http(ClientProtocol::kAuto);
  http.ServerAnswersHttp();
  http.ServerSpeaksFirst();
  EXPECT_EQ(http.Of(kOther, Patience::kOver), Way::kHttp);
  ProtocolChoice first(ClientProtocol::kAuto);
  first.ServerSpeaksFirst();
  first.ServerAnswersHttp();
  EXPECT_EQ(first.Of(kHttp1, Patience::kOver), Way::kTunnel);
}

TEST(ProtocolChoiceTest, TheOperatorsWordIsTheLast) {
  for (const char* bytes : kAll) {
    EXPECT_EQ(ProtocolChoice(ClientProtocol::kHttp).Of(bytes, Patience::kSome), Way::kHttp)
        << bytes;
    EXPECT_EQ(ProtocolChoice(ClientProtocol::kTcp).Of(bytes, Patience::kSome), Way::kTunnel)
        << bytes;
  }
  EXPECT_FALSE(ProtocolChoice(ClientProtocol::kHttp).ServerMaySpeakFirst());
  EXPECT_FALSE(ProtocolChoice(ClientProtocol::kTcp).ServerMaySpeakFirst());
}

}  // namespace
}  // namespace uc::front
