// A seeded mutation fuzzer of RequestParser: the corpora as seeds, mutated and spliced.
//
// Each case is made from one number, its seed. On failure it prints that and the input; replay one case:
//   HTTP_FUZZ_SEED=<seed> HTTP_FUZZ_CASES=1 bazel test //tests/fuzz:http_parser_fuzz --test_env=...
// More work: HTTP_FUZZ_CASES=10000000 (and --test_timeout).
// Held true for each case (besides the contract of each step, see tests/http/transcript.h):
//   * the transcript is the same whole, byte by byte, in two, and in random pieces with empty ones;
//   * what we accept llhttp accepts too, as the same messages with the same bodies: we are only stricter, but for
//     raw UTF-8 in targets and minor versions past 1, which are translated for it (http_oracle.h);
//   * accepted heads consist of tokens, clean values, and one statement about the body at most.
#include <gtest/gtest.h>

#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/http/parser.h"
#include "core/http/syntax.h"
#include "tests/fuzz/http_oracle.h"
#include "tests/fuzz/mutator.h"
#include "tests/http/corpus.h"
#include "tests/http/transcript.h"

namespace uc::http {
namespace {

constexpr uint64_t kSeed = 20261123;
constexpr uint64_t kCases = 150'000;

// What breaks parsers, to be strewn in.
constexpr absl::string_view kMorsels[] = {
    "\r\n",
    "\r",
    "\n",
    "\r\n\r\n",
    "\n\n",
    " ",
    "\t",
    ":",
    ";",
    ",",
    "0",
    "0\r\n\r\n",
    "ffffffffffffffff",
    "-1",
    "+",
    "0x",
    "\x7f",
    "\x80",
    "\xff",
    "\x0b",
    "chunked",
    "Transfer-Encoding: chunked\r\n",
    "Transfer-Encoding : chunked\r\n",
    "Transfer-Encoding:\r\n chunked\r\n",
    "Content-Length: 5\r\n",
    "content-length:0\r\n",
    "Host: b\r\n",
    "Connection: close\r\n",
    "Connection: Upgrade\r\nUpgrade: x\r\n",
    "Expect: 100-continue\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "HTTP/1.0",
    "HTTP/1.7",
    "/\xc3\xa9",
    " HTTP/1.1\r\n",
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
};

// Empty, or what is wrong with an accepted head.
std::string FaultOfHead(const RequestHead& head) {
  int lengths = 0, codings = 0, hosts = 0;
  for (const Field& field : head.fields) {
    if (!IsToken(field.name)) return "a name that is no token";
    if (StripWhitespace(field.value) != field.value) return "white space around a value";
    for (char c : field.value) {
      if (IsControl(c) && c != '\t') return "a control character in a value";
    }
    lengths += IsWord(field.name, "content-length") ? 1 : 0;
    codings += IsWord(field.name, "transfer-encoding") ? 1 : 0;
    hosts += IsWord(field.name, "host") ? 1 : 0;
  }
  if (lengths + codings > 1) return "two statements about the body";
  if (lengths != (head.content_length ? 1 : 0) || codings != (head.chunked ? 1 : 0)) {
    return "a statement about the body that was not read";
  }
  if (hosts > 1 || (hosts == 0 && head.minor_version == 1)) return "not one Host";
  if (!IsToken(head.method) || head.target.empty()) return "a malformed request line";
  return "";
}

std::string FaultOfHeads(absl::string_view bytes) {
  RequestParser parser(kCorpusLimits);
  for (;;) {
    const Step step = parser.Next(bytes);
    if (step.kind == Step::Kind::kNeedMore || step.kind == Step::Kind::kError) return "";
    if (step.kind == Step::Kind::kHead) {
      const std::string fault = FaultOfHead(parser.head());
      if (!fault.empty()) return fault;
    }
    bytes.remove_prefix(step.consumed);
  }
}

class HttpParserFuzz : public testing::Test {
 protected:
  HttpParserFuzz() {
    for (const Case& example : ValidCases()) seeds_.push_back(example.bytes);
    valid_ = seeds_.size();
    for (const Case& example : InvalidCases()) seeds_.push_back(example.bytes);
  }

  // One case; counts what it made.
  void Run(uint64_t seed) {
    Mutator mutator(seed, seeds_, valid_, kMorsels);
    const std::string bytes = mutator.Make();
    const std::string whole = TranscriptOfWhole(bytes);
    const std::string context =
        absl::StrCat("HTTP_FUZZ_SEED=", seed, " HTTP_FUZZ_CASES=1\ninput: ", Escape(bytes));
    ASSERT_EQ(whole.find("BREACH"), std::string::npos) << whole << context;
    ASSERT_EQ(TranscriptOfBytes(bytes), whole) << "byte by byte\n" << context;
    const size_t cut = mutator.Below(bytes.size() + 1);
    ASSERT_EQ(TranscriptOfTwo(bytes, cut), whole) << "cut at " << cut << "\n" << context;
    const size_t size = 1 + mutator.Below(64);
    ASSERT_EQ(TranscriptOf(bytes, [&] { return mutator.Below(size + 1); }), whole)
        << "in random pieces\n"
        << context;
    ASSERT_EQ(FaultOfHeads(bytes), "") << context;
    CompareWithOracle(bytes, context);
    if (whole.find("error") != std::string::npos) ++refused_;
  }

  void CompareWithOracle(const std::string& accepted, const std::string& context) {
    const std::string bytes = InWordsOfLlhttp(accepted, kCorpusLimits);
    std::vector<OracleMessage> ours = AskOurs(bytes);
    accepted_ += ours.size();
    OracleAnswer theirs = AskLlhttp(bytes);
    if (theirs.ended_in_what_we_drop && ours.size() > theirs.messages.size()) {
      ours.resize(theirs.messages.size());
    }
    ASSERT_LE(ours.size(), theirs.messages.size()) << "llhttp refuses what we accept\n" << context;
    theirs.messages.resize(ours.size());
    ASSERT_TRUE(ours == theirs.messages) << "llhttp reads other messages\n" << context;
  }

  std::vector<std::string> seeds_;
  size_t valid_ = 0;
  uint64_t refused_ = 0;
  uint64_t accepted_ = 0;
};

TEST_F(HttpParserFuzz, NoBytesBreakTheContract) {
  const uint64_t first = Setting("HTTP_FUZZ_SEED", kSeed);
  const uint64_t cases = Setting("HTTP_FUZZ_CASES", kCases);
  for (uint64_t seed = first; seed < first + cases; ++seed) {
    Run(seed);
    if (HasFatalFailure()) return;
  }
  std::printf("%llu cases from seed %llu: %llu messages accepted, %llu cases refused\n",
              static_cast<unsigned long long>(cases), static_cast<unsigned long long>(first),
              static_cast<unsigned long long>(accepted_),
              static_cast<unsigned long long>(refused_));
  if (cases >= kCases) {
    // The mutations must neither break everything nor nothing.
    EXPECT_GT(accepted_, cases / 4);
    EXPECT_GT(refused_, cases / 4);
  }
}

}  // namespace
}  // namespace uc::http
