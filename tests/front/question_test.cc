#include "core/front/question.h"

#include <poll.h>
#include <sys/socket.h>

#include <string>

#include "core/base/fd.h"
#include "core/front/endpoint.h"
#include "core/net/address.h"
#include "core/net/listener.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace uc::front {
namespace {

using testing::StartsWith;

class QuestionTest : public testing::Test {
 protected:
  QuestionTest() {
    listener_ = *net::Bind(*net::Address::Parse("127.0.0.1:0"), {});
    address_ = *net::LocalAddress(listener_);
  }
  void Listen() { ASSERT_TRUE(net::StartListening(listener_, address_, {}).ok()); }
  bool Look() { return question_.Look(*Endpoint::Parse(address_.ToString())); }
  static void Await(const Fd& fd) {
    pollfd watch = {fd.get(), POLLIN, 0};
    ASSERT_EQ(poll(&watch, 1, 10'000), 1);
  }
  // What the program has accepted.
  Fd Accept() {
    Await(listener_);
    return Fd(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  }
  static std::string Read(const Fd& fd) {
    Await(fd);
    char bytes[1024];
    const ssize_t size = recv(fd.get(), bytes, sizeof(bytes), 0);
    return size > 0 ? std::string(bytes, static_cast<size_t>(size)) : "";
  }
  static void Write(const Fd& fd, const std::string& text) {
    ASSERT_EQ(send(fd.get(), text.data(), text.size(), 0), static_cast<ssize_t>(text.size()));
  }

  Fd listener_;
  net::Address address_;
  Question question_{"/health", "a"};
};

TEST_F(QuestionTest, IsAnsweredByWhateverIsAnswered) {
  Listen();
  question_.Put();
  EXPECT_FALSE(Look());
  const Fd program = Accept();
  EXPECT_THAT(Read(program), StartsWith("GET /health HTTP/1.1\r\nHost: a\r\n"));
  EXPECT_FALSE(Look());
  Write(program, "HTTP/1.1 500 ");
  EXPECT_TRUE(Look());
  EXPECT_FALSE(Look()) << "once";
  Write(program, "Internal Server Error\r\n\r\n");
  EXPECT_FALSE(Look());
}

TEST_F(QuestionTest, IsAnsweredByTheEndOfItsConnection) {
  Listen();
  question_.Put();
  EXPECT_FALSE(Look());
  Fd program = Accept();
  Read(program);
  program.Reset();
  EXPECT_TRUE(Look());
  EXPECT_FALSE(Look());
}

TEST_F(QuestionTest, IsPutAgainUntilSomebodyListens) {
  question_.Put();
  EXPECT_FALSE(Look());
  EXPECT_FALSE(Look());
  Listen();
  EXPECT_FALSE(Look());
  const Fd program = Accept();
  Read(program);
  Write(program, "x");
  EXPECT_TRUE(Look());
}

TEST_F(QuestionTest, NextOneHasAConnectionOfItsOwn) {
  Listen();
  question_.Put();
  EXPECT_FALSE(Look());
  const Fd first = Accept();
  Read(first);
  question_.Put();
  EXPECT_FALSE(Look());
  const Fd second = Accept();
  EXPECT_EQ(Read(first), "") << "the first was given up";
  Read(second);
  Write(second, "x");
  EXPECT_TRUE(Look());
}

TEST_F(QuestionTest, NoneIsPutUnasked) {
  Listen();
  EXPECT_FALSE(Look());
  pollfd watch = {listener_.get(), POLLIN, 0};
  EXPECT_EQ(poll(&watch, 1, 0), 0);
}

}  // namespace
}  // namespace uc::front
