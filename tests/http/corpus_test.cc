// The golden corpora, whole, in two inputs at every byte, byte by byte, and all valid ones in a row.
#include "tests/http/corpus.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/http/transcript.h"

namespace uc::http {
namespace {

void ExpectEveryCutTellsTheSame(const Case& example, const std::string& whole) {
  EXPECT_EQ(TranscriptOfBytes(example.bytes), whole) << example.name << ", byte by byte";
  for (size_t cut = 1; cut < example.bytes.size(); ++cut) {
    ASSERT_EQ(TranscriptOfTwo(example.bytes, cut), whole)
        << example.name << ", cut after " << Escape(example.bytes.substr(0, cut));
  }
}

TEST(CorpusTest, ValidRequestsAreReadAsExpected) {
  for (const Case& example : ValidCases()) {
    EXPECT_EQ(TranscriptOfWhole(example.bytes), example.expect) << example.name;
  }
}

TEST(CorpusTest, ValidRequestsAreReadTheSameHoweverTheyAreCut) {
  for (const Case& example : ValidCases()) ExpectEveryCutTellsTheSame(example, example.expect);
}

TEST(CorpusTest, InvalidRequestsGetTheirStatusForTheirReason) {
  for (const Case& example : InvalidCases()) {
    const std::string transcript = TranscriptOfWhole(example.bytes);
    EXPECT_TRUE(absl::EndsWith(transcript, absl::StrCat("error ", example.expect, "\n")))
        << example.name << " (" << Escape(example.bytes.substr(0, 300)) << ") gave\n"
        << transcript;
    EXPECT_FALSE(absl::StrContains(transcript, "complete")) << example.name << " was smuggled";
  }
}

TEST(CorpusTest, InvalidRequestsAreRefusedTheSameHoweverTheyAreCut) {
  for (const Case& example : InvalidCases()) {
    ExpectEveryCutTellsTheSame(example, TranscriptOfWhole(example.bytes));
  }
}

TEST(CorpusTest, PipelinedRequestsAreReadOneByOne) {
  std::string all, expect;
  for (const Case& example : ValidCases()) {
    all += example.bytes;
    expect += example.expect;
  }
  EXPECT_EQ(TranscriptOfWhole(all), expect);
  EXPECT_EQ(TranscriptOfBytes(all), expect);
  for (size_t size : {2, 3, 7, 61, 509, 4093}) {
    EXPECT_EQ(TranscriptOf(all, [&] { return size; }), expect) << size << " bytes an input";
  }
}

TEST(CorpusTest, AnInvalidRequestIsRefusedAfterAGoodOneToo) {
  const std::string good = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
  for (const Case& example : InvalidCases()) {
    // Blank lines before a request are counted from the request before it: the same either way.
    const std::string alone = TranscriptOfWhole(example.bytes);
    EXPECT_EQ(TranscriptOfWhole(good + example.bytes), TranscriptOfWhole(good) + alone)
        << example.name;
  }
}

TEST(CorpusTest, TheCorporaAreLargeAndNoCaseIsThereTwice) {
  std::set<std::string> seen;
  for (const Case& example : ValidCases()) EXPECT_TRUE(seen.insert(example.bytes).second);
  EXPECT_GE(seen.size(), 40u);
  const size_t valid = seen.size();
  for (const Case& example : InvalidCases()) {
    EXPECT_TRUE(seen.insert(example.bytes).second) << example.name;
  }
  EXPECT_GE(seen.size() - valid, 60u);
}

}  // namespace
}  // namespace uc::http
