// What the load generator counts and how it shows it: histogram, pace, answer, report.
#include <cmath>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tools/load/answer.h"
#include "tools/load/histogram.h"
#include "tools/load/options.h"
#include "tools/load/pace.h"
#include "tools/load/report.h"
#include "tools/load/tally.h"

namespace uc::load {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

// --- Histogram ---

TEST(HistogramTest, EachValueIsInTheBucketThatBeginsAtMostThere) {
  std::mt19937_64 chance(1);
  for (int i = 0; i < 200'000; ++i) {
    const int64_t value = static_cast<int64_t>(chance() >> (chance() % 40 + 24));
    const size_t bucket = Histogram::BucketOf(value);
    ASSERT_LE(Histogram::FloorOf(bucket), value);
    ASSERT_GT(Histogram::FloorOf(bucket + 1), value);
  }
}

TEST(HistogramTest, BucketsAreNarrowAndFollowEachOther) {
  for (size_t bucket = 0; bucket < Histogram::BucketOf(Histogram::kValueMax); ++bucket) {
    const int64_t floor = Histogram::FloorOf(bucket);
    const int64_t width = Histogram::FloorOf(bucket + 1) - floor;
    ASSERT_GE(width, 1);
    ASSERT_EQ(Histogram::BucketOf(floor), bucket);
    ASSERT_LE(static_cast<double>(width - 1), static_cast<double>(floor) / 256) << bucket;
  }
}

TEST(HistogramTest, QuantilesAreWithinHalfABucketOfTheTruth) {
  std::mt19937_64 chance(2);
  std::lognormal_distribution<double> latency(12, 2);
  Histogram histogram;
  std::vector<int64_t> values;
  for (int i = 0; i < 100'000; ++i) {
    values.push_back(static_cast<int64_t>(latency(chance)));
    histogram.Record(values.back());
  }
  std::sort(values.begin(), values.end());
  for (const double q : {0.001, 0.1, 0.5, 0.9, 0.99, 0.999, 0.9999}) {
    const int64_t truth = values[static_cast<size_t>(std::ceil(q * 100'000)) - 1];
    EXPECT_NEAR(static_cast<double>(histogram.Quantile(q)), static_cast<double>(truth),
                static_cast<double>(truth) * 0.002 + 1)
        << q;
  }
  EXPECT_EQ(histogram.Quantile(0), values.front());
  EXPECT_EQ(histogram.Quantile(1), values.back());
}

TEST(HistogramTest, MeanAndDeviationAreExact) {
  Histogram histogram;
  for (const int64_t value : {1'000'000, 3'000'000}) histogram.Record(value);
  EXPECT_DOUBLE_EQ(histogram.mean(), 2'000'000);
  EXPECT_DOUBLE_EQ(histogram.deviation(), 1'000'000);
  EXPECT_EQ(histogram.min(), 1'000'000);
  EXPECT_EQ(histogram.max(), 3'000'000);
}

TEST(HistogramTest, TwoAddUpToTheOneOfBoth) {
  std::mt19937_64 chance(3);
  Histogram left, right, both;
  for (int i = 0; i < 10'000; ++i) {
    const auto value = static_cast<int64_t>(chance() >> 40);
    (i % 3 == 0 ? left : right).Record(value);
    both.Record(value);
  }
  left.Add(right);
  EXPECT_EQ(left.count(), both.count());
  EXPECT_EQ(left.min(), both.min());
  EXPECT_EQ(left.max(), both.max());
  for (const double q : {0.0, 0.1, 0.5, 0.99, 1.0}) {
    EXPECT_EQ(left.Quantile(q), both.Quantile(q));
  }
}

TEST(HistogramTest, ExtremesAreHeld) {
  Histogram histogram;
  EXPECT_EQ(histogram.Quantile(0.5), 0);
  EXPECT_EQ(histogram.mean(), 0);
  EXPECT_EQ(histogram.min(), 0);
  histogram.Record(-5);
  histogram.Record(INT64_MAX);
  EXPECT_EQ(histogram.min(), 0);
  EXPECT_EQ(histogram.max(), INT64_MAX);
  EXPECT_EQ(histogram.Quantile(1), INT64_MAX);
}

TEST(HistogramTest, EachBucketThatIsNotEmptyIsShownOnce) {
  Histogram histogram;
  for (const int64_t value : {7, 7, 100'000}) histogram.Record(value);
  uint64_t count = 0;
  std::vector<int64_t> firsts;
  histogram.Each([&](int64_t first, int64_t last, uint64_t in_it) {
    EXPECT_LE(first, last);
    firsts.push_back(first);
    count += in_it;
  });
  EXPECT_EQ(count, 3u);
  EXPECT_THAT(firsts, ElementsAre(7, testing::Le(100'000)));
}

// --- Pace ---

TEST(PaceTest, EvenArrivalsDoNotDrift) {
  Pace pace(30'000, Arrivals::kEven, 1000, 1);  // a gap that is no whole number of nanoseconds
  EXPECT_EQ(pace.due_ns(), 1000);
  for (int i = 0; i < 30'000 * 60; ++i) pace.Advance();
  EXPECT_EQ(pace.due_ns(), 1000 + 60'000'000'000);
}

TEST(PaceTest, PoissonArrivalsHaveTheRateAndItsSpread) {
  Pace pace(1000, Arrivals::kPoisson, 0, 7);
  constexpr int kCount = 100'000;
  double squares = 0;
  int64_t last = 0;
  for (int i = 0; i < kCount; ++i) {
    pace.Advance();
    ASSERT_GE(pace.due_ns(), last);
    const double gap = static_cast<double>(pace.due_ns() - last) / 1e6;
    squares += (gap - 1) * (gap - 1);
    last = pace.due_ns();
  }
  EXPECT_NEAR(static_cast<double>(last) / 1e6 / kCount, 1, 0.02);
  EXPECT_NEAR(std::sqrt(squares / kCount), 1, 0.05);
}

TEST(PaceTest, SeedMakesTheSequence) {
  Pace one(1000, Arrivals::kPoisson, 0, 1), same(1000, Arrivals::kPoisson, 0, 1),
      other(1000, Arrivals::kPoisson, 0, 2);
  for (int i = 0; i < 10; ++i) {
    one.Advance();
    same.Advance();
    other.Advance();
  }
  EXPECT_EQ(one.due_ns(), same.due_ns());
  EXPECT_NE(one.due_ns(), other.due_ns());
}

TEST(PaceTest, CountsWhatIsDueBeforeATime) {
  const Pace pace(1000, Arrivals::kEven, 5'000'000, 1);
  EXPECT_EQ(pace.DueBefore(0), 0u);
  EXPECT_EQ(pace.DueBefore(5'000'000), 0u);
  EXPECT_EQ(pace.DueBefore(5'000'001), 1u);
  EXPECT_EQ(pace.DueBefore(15'000'000), 10u);
}

// --- Answer ---

// Cut at each place: the answer is the same.
void ExpectComplete(const std::string& text, const Expected& expected, const std::string& fault) {
  for (size_t cut = 0; cut <= text.size(); ++cut) {
    Answer answer;
    const std::string whole = text + "HTTP/1.1 next";
    size_t taken = answer.Take(whole.substr(0, cut), expected);
    ASSERT_EQ(taken, cut) << text;
    taken += answer.Take(whole.substr(cut), expected);
    ASSERT_EQ(answer.state(), Answer::State::kComplete) << cut << " of " << text;
    ASSERT_EQ(taken, text.size()) << "what is behind it is the next one's";
    ASSERT_EQ(answer.bytes(), text.size());
    ASSERT_EQ(answer.Fault(expected), fault) << cut;
  }
}

TEST(AnswerTest, AllFramingsInAllPieces) {
  Expected expected;
  expected.body = "hello";
  expected.bytes = 5;
  ExpectComplete("HTTP/1.1 200 OK\r\ncontent-length:5\r\n\r\nhello", expected, "");
  ExpectComplete(
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
      "2;x=y\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
      expected, "");
  ExpectComplete(
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
      "5\r\nhello\r\n0\r\nTrailer: 1\r\n\r\n",
      expected, "");
  ExpectComplete(
      "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
      "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
      expected, "");
  ExpectComplete("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhallo", expected,
                 "another body than expected");
  ExpectComplete("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", expected, "status 404");
  ExpectComplete("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", expected, "status 304");
}

TEST(AnswerTest, EndsWithTheConnectionWhenItHasNoLength) {
  Answer answer;
  answer.Take("HTTP/1.1 200 OK\r\n\r\nbo", {});
  answer.Take("dy", {});
  EXPECT_EQ(answer.state(), Answer::State::kBody);
  EXPECT_EQ(answer.End(), Answer::State::kComplete);
  EXPECT_TRUE(answer.closes());
}

TEST(AnswerTest, SaysWhetherTheConnectionCloses) {
  const auto closes = [](const std::string& head) {
    Answer answer;
    answer.Take(head + "Content-Length: 0\r\n\r\n", {});
    return answer.closes();
  };
  EXPECT_FALSE(closes("HTTP/1.1 200 OK\r\n"));
  EXPECT_TRUE(closes("HTTP/1.1 200 OK\r\nConnection: Close\r\n"));
  EXPECT_TRUE(closes("HTTP/1.0 200 OK\r\n"));
  EXPECT_FALSE(closes("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n"));
  // Who says both closes, in whatever order.
  EXPECT_TRUE(closes("HTTP/1.1 200 OK\r\nConnection: close\r\nConnection: keep-alive\r\n"));
  EXPECT_TRUE(closes("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nConnection: close\r\n"));
}

TEST(AnswerTest, NonsenseIsMalformed) {
  for (const char* text :
       {"HTTP/2 200\r\n\r\n", "HTTP/1.1 abc OK\r\n\r\n", "\r\n\r\n\r\n\r\n",
        "HTTP/1.1 200 OK\r\nno colon\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n"}) {
    Answer answer;
    answer.Take(text, {});
    EXPECT_EQ(answer.state(), Answer::State::kMalformed) << text;
  }
}

TEST(AnswerTest, EndlessHeadIsMalformed) {
  Answer answer;
  answer.Take("HTTP/1.1 200 OK\r\n", {});
  for (int i = 0; i < 70 && answer.state() == Answer::State::kHead; ++i) {
    answer.Take(std::string(1024, 'x'), {});
  }
  EXPECT_EQ(answer.state(), Answer::State::kMalformed);
}

// --- Tally and report ---

Tally OfTwo() {
  Tally tally;
  for (int i = 0; i < 3; ++i) tally.Begin();
  tally.Ok(2'000'000, 1'000'000, 100);
  tally.Ok(500'000, 1'000'000, 100);
  tally.Fail({1.5, Kind::kRefused, 4711, 0, "Connection refused"});
  return tally;
}

TEST(TallyTest, SumsOfThreadsAreThoseOfTheWhole) {
  Tally total = OfTwo();
  Tally other = OfTwo();
  other.Fail({0.5, Kind::kLocalError, 0, 0, "no port"});
  total.Add(other);
  EXPECT_EQ(total.attempts(), 6u);
  EXPECT_EQ(total.of(Kind::kOk), 4u);
  EXPECT_EQ(total.slow(), 2u);
  EXPECT_EQ(total.lost(), 2u) << "a fault of our own is no loss";
  EXPECT_EQ(total.bytes(), 400u);
  ASSERT_EQ(total.failures().size(), 3u);
  EXPECT_EQ(total.failures()[0].kind, Kind::kLocalError) << "in order of time";
}

TEST(TallyTest, KeepsTheFirstFailuresOnly) {
  Tally tally;
  for (int i = 0; i < 1000; ++i) tally.Fail({static_cast<double>(i), Kind::kRefused, 0, 0, ""});
  EXPECT_EQ(tally.failures().size(), Tally::kFailuresKept);
  EXPECT_EQ(tally.of(Kind::kRefused), 1000u);
}

TEST(ReportTest, JsonHasWhatScriptsReadFromIt) {
  const auto json = nlohmann::json::parse(ToJson(OfTwo(), {.seconds = 2, .cpu_seconds = 0.5}));
  EXPECT_EQ(json["attempts"], 3);
  EXPECT_EQ(json["lost"], 1);
  EXPECT_EQ(json["ok"], 2);
  EXPECT_EQ(json["refused"], 1);
  EXPECT_EQ(json["slow"], 1);
  EXPECT_EQ(json["requests_per_second"], 1.0);
  EXPECT_NEAR(json["latency_ms"]["max"].get<double>(), 2, 1e-9);
  EXPECT_EQ(json["cpu_seconds"], 0.5);
  EXPECT_EQ(json["failures"][0]["local_port"], 4711);
  EXPECT_EQ(json["failures"][0]["kind"], "refused");
  EXPECT_FALSE(json.contains("service_ms")) << "a closed loop has one latency only";
  EXPECT_FALSE(json.contains("histogram_ns"));
}

TEST(ReportTest, OpenLoopTellsBothLatencies) {
  Tally tally = OfTwo();
  tally.Service(1'000'000);
  tally.NotBegun(9);
  const Course course = {.seconds = 2, .rate = 100, .buckets = Course::Buckets::kYes};
  const auto json = nlohmann::json::parse(ToJson(tally, course));
  EXPECT_EQ(json["not_begun"], 9);
  EXPECT_NEAR(json["service_ms"]["max"].get<double>(), 1, 1e-9);
  EXPECT_EQ(json["histogram_ns"].size(), 2u);
  const std::string text = ToText(tally, course);
  EXPECT_THAT(text, HasSubstr("service"));
  EXPECT_THAT(text, HasSubstr("9 attempts were due"));
}

TEST(ReportTest, TextNamesEachKindOfFailure) {
  const std::string text = ToText(OfTwo(), {.seconds = 2});
  EXPECT_THAT(text, HasSubstr("refused 1"));
  EXPECT_THAT(text, HasSubstr("Connection refused"));
  EXPECT_THAT(text, Not(HasSubstr("bad_answer")));
}

TEST(ReportTest, BytesThatAreNoTextDoNotBreakJson) {
  Tally tally;
  tally.Fail({0, Kind::kBadAnswer, 0, 0, "\xff\xfe"});
  EXPECT_FALSE(nlohmann::json::parse(ToJson(tally, {}))["failures"].empty());
}

// --- Command line ---

TEST(LoadOptionsTest, ProcessorsAreListedOrRanges) {
  EXPECT_THAT(*ParseCpus("1"), ElementsAre(1));
  EXPECT_THAT(*ParseCpus("0,2-4"), ElementsAre(0, 2, 3, 4));
  EXPECT_THAT(*ParseCpus(""), ElementsAre());
  for (const char* wrong : {"a", "3-1", "-1", "1-", "0-99999"}) {
    EXPECT_FALSE(ParseCpus(wrong).ok()) << wrong;
  }
}

}  // namespace
}  // namespace uc::load
