// The first bytes of a connection: what they are, how many it takes, and that how they are cut makes no difference.
#include "core/http/first_bytes.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

#include "core/http/parser.h"
#include "core/http/syntax.h"
#include "tests/http/corpus.h"

namespace uc::http {
namespace {

using absl::string_view;

void ExpectEach(FirstBytes expected, std::initializer_list<string_view> examples) {
  for (string_view bytes : examples) {
    EXPECT_EQ(static_cast<int>(Classify(bytes)), static_cast<int>(expected)) << Escape(bytes);
  }
}

TEST(FirstBytesTest, AMethodAndASpaceAreHttp1WhateverFollows) {
  ExpectEach(FirstBytes::kHttp1,
             {"GET ", "GET / HTTP/1.1\r\n", "get /", "FOO \x01", "PRI * HTTP/1.1\r\n", "PRI \x16",
              "GET\t/ HTTP/1.1\r\n", "SSH-2.0-OpenSSH_9.2p1 Debian\r\n"});
}

TEST(FirstBytesTest, WhatALenientServerWouldSkipIsHttp1) {
  ExpectEach(FirstBytes::kHttp1,
             {"\r\n", "\r", "\nGET / HTTP/1.1", " GET /", "\tGET", "\x0bGET / HTTP/1.1", "\x1cGET",
              "\x85GET", "\xa0GET", "GET\x0b/", "GET\xa0/ HTTP/1.1"});
}

TEST(FirstBytesTest, AMethodWithoutAnEndIsUndecidedUpToABound) {
  ExpectEach(FirstBytes::kUndecided,
             {"", "G", "GET", "hello", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r", "\x16"});
  ExpectEach(FirstBytes::kUndecided, {std::string(kMethodBytesMax, 'G')});
  ExpectEach(FirstBytes::kHttp1, {std::string(kMethodBytesMax + 1, 'G')});
}

TEST(FirstBytesTest, OtherProtocolsAreTold) {
  ExpectEach(FirstBytes::kHttp2,
             {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\x12\x04"});
  ExpectEach(FirstBytes::kTls, {string_view("\x16\x03\x01\x02\0\x01", 6), "\x16\x03"});
  ExpectEach(FirstBytes::kOther,
             {"*1\r\n$4\r\nPING\r\n", "PING\r\n", "QUIT\n", "AMQP\x01",
              string_view("\0\0\0\x08\x04\xd2\x16\x2f", 8), string_view("\x10\x2c\0\x04MQTT", 8),
              "SSH-2.0-Go\r\n", "{\"id\":1}", "<stream>", "\x16\x04", "\x80", "@", "a:b", "a/b c"});
}

TEST(FirstBytesTest, WhatTheParserAcceptsIsHttp1) {
  for (const Case& example : ValidCases()) {
    EXPECT_EQ(static_cast<int>(Classify(example.bytes)), static_cast<int>(FirstBytes::kHttp1))
        << example.name;
  }
}

// Random bytes, mostly of those that matter: once decided a verdict stays whatever follows, it is there in time, and
// what is passed on unread is no request that the parser would have taken.
TEST(FirstBytesTest, AVerdictStaysAndOnlyWhatTheParserRefusesIsAnothersProtocol) {
  constexpr string_view kAlphabet = "GETPRI* HTTP/2.0\r\nSM\x16\x03\x01\t/:{\x0b\x80";
  std::mt19937_64 chance(20261127);
  for (int i = 0; i < 200'000; ++i) {
    std::string bytes(1 + chance() % 40, '\0');
    for (char& c : bytes) {
      c = chance() % 16 == 0 ? static_cast<char>(chance()) : kAlphabet[chance() % kAlphabet.size()];
    }
    if (chance() % 4 == 0) bytes.insert(0, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", chance() % 25);
    const FirstBytes verdict = Classify(bytes);
    bool decided = false;
    for (size_t size = 1; size <= bytes.size(); ++size) {
      const FirstBytes now = Classify(string_view(bytes).substr(0, size));
      if (decided) {
        ASSERT_EQ(static_cast<int>(now), static_cast<int>(verdict))
            << Escape(bytes) << " at " << size;
      }
      decided = now != FirstBytes::kUndecided;
      ASSERT_TRUE(decided || size < kFirstBytesMax) << Escape(bytes);
    }
    if (verdict == FirstBytes::kOther || verdict == FirstBytes::kTls ||
        verdict == FirstBytes::kHttp2) {
      const std::string whole = bytes + " / HTTP/1.1\r\nHost: a\r\n\r\n";
      RequestParser parser{ParserLimits()};
      ASSERT_NE(static_cast<int>(parser.Next(whole).kind), static_cast<int>(Step::Kind::kHead))
          << Escape(whole);
    }
  }
}

}  // namespace
}  // namespace uc::http
