// The paired benchmark measures what it says, and takes no wrong answer for a right one.
#include <stdlib.h>

#include <string>
#include <utility>
#include <vector>

#include "benchmarks/paired/contest.h"
#include "benchmarks/paired/estimate.h"
#include "benchmarks/paired/server.h"
#include "benchmarks/paired/work.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace uc::paired {
namespace {

using testing::HasSubstr;

constexpr ContestOptions kShort = {.rounds = 5, .window = absl::Milliseconds(1)};

Work WorkOf(absl::string_view text) {
  absl::StatusOr<Work> work = Work::Parse(text);
  EXPECT_TRUE(work.ok()) << work.status();
  return work.ok() ? *work : Work();
}

class PairedTest : public testing::Test {
 protected:
  absl::Status Raise(const std::string& name, const std::string& command) {
    const char* folder = getenv("TEST_TMPDIR");
    absl::StatusOr<Server> server =
        Server::Start({name, command}, {.core = 0,
                                        .request_bytes = WorkOf("new:1").Request().size(),
                                        .folder = folder != nullptr ? folder : "/tmp"});
    if (server.ok()) servers_.push_back(*std::move(server));
    return server.status();
  }

  std::vector<Server> servers_;
};

TEST(EstimateTest, DisturbedWindowsDoNotMoveIt) {
  std::vector<double> samples(100, 2.0);
  for (size_t i = 0; i < 15; ++i) samples[i * 6] = 1000;
  EXPECT_DOUBLE_EQ(TrimmedMean(samples).value, 2.0);
  EXPECT_DOUBLE_EQ(TrimmedMean(samples).error, 0.0);
}

TEST(EstimateTest, ErrorIsThatOfTheMeanWhereNothingIsDisturbed) {
  std::vector<double> samples;
  for (int i = 0; i < 10'000; ++i) samples.push_back(i % 100);
  EXPECT_NEAR(TrimmedMean(samples).value, 49.5, 0.5);
  // A uniform distribution: 28.9 / sqrt(10,000), and a little more for the trimming.
  EXPECT_NEAR(TrimmedMean(samples).error, 0.35, 0.07);
}

TEST_F(PairedTest, EachServerDoesEachWork) {
  ASSERT_TRUE(Raise("epoll", "benchmarks/floor/epoll_floor {port} {request_bytes}").ok());
  ASSERT_TRUE(Raise("counting", "benchmarks/floor/epoll_floor {port}").ok());
  for (const char* text :
       {"keep-alive:1", "keep-alive:8", "pipelined:2:16", "traced:2:4", "new:4"}) {
    const auto scores = Compete(WorkOf(text), servers_, kShort);
    ASSERT_TRUE(scores.ok()) << scores.status();
    ASSERT_EQ(scores->size(), 2u);
    for (const Score& score : *scores) {
      EXPECT_GT(score.requests, 0) << score.server << " " << text;
      EXPECT_GT(score.nanos.value, 0) << score.server << " " << text;
    }
    EXPECT_DOUBLE_EQ((*scores)[0].ratio.value, 1.0);
  }
}

// --- What goes wrong ---

TEST_F(PairedTest, AnswersThatNobodyAskedForAreAnError) {
  ASSERT_TRUE(Raise("chatty", "benchmarks/floor/epoll_floor {port} 10").ok());
  EXPECT_THAT(std::string(Compete(WorkOf("keep-alive:1"), servers_, kShort).status().message()),
              HasSubstr("chatty, keep-alive:1: more bytes than promised"));
}

TEST_F(PairedTest, WhatAServerSaysBeforeItFailsIsShown) {
  const absl::Status status = Raise("absent", "ls /no/such/folder");
  EXPECT_THAT(std::string(status.message()), HasSubstr("/no/such/folder"));
}

TEST(WorkTest, TracedRequestsHaveAnIdAndTheSameSize) {
  EXPECT_EQ(WorkOf("traced:1:1").Request().size(), WorkOf("keep-alive:1").Request().size());
  EXPECT_THAT(WorkOf("traced:1:1").Request(), HasSubstr("\r\nX-Request-Id: 0000000000000000\r\n"));
}

TEST(WorkTest, UnknownWorksAreRefused) {
  for (const char* text : {"", "keep-alive", "keep-alive:0", "keep-alive:x", "pipelined:4",
                           "pipelined:4:257", "new:4:4", "get:4", "push:4"}) {
    EXPECT_FALSE(Work::Parse(text).ok()) << text;
  }
}

}  // namespace
}  // namespace uc::paired
