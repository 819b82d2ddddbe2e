// A seeded fuzzer of what a front does to messages: what it reads, writes on and is read again must be the same message.
//
// Requests are read by RequestParser, written by AppendForwardedRequest with their bodies as a front writes them, and
// read again; responses the same with ResponseParser and AppendForwardedResponse. Each case is made from one number, its
// seed; replay one: FORWARDING_FUZZ_SEED=<seed> FORWARDING_FUZZ_CASES=1 bazel test //tests/fuzz:forwarding_fuzz
// Held true for each case:
//   * as many messages come out as went in, with the same method and target, or status and reason, the same framing,
//     body and trailers that may pass, also for llhttp as the second reader of the requests;
//   * what is about one connection has ended, and who the client is, is said once, by us;
//   * a message that was passed on is passed on again as it is;
//   * the steps of ResponseParser do not depend on the cuts.
#include <gtest/gtest.h>

#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/http/forwarding.h"
#include "core/http/origin_target.h"
#include "core/http/parser.h"
#include "core/http/response_parser.h"
#include "core/http/syntax.h"
#include "core/http/writer.h"
#include "tests/fuzz/http_oracle.h"
#include "tests/fuzz/mutator.h"
#include "tests/http/corpus.h"

namespace uc::http {
namespace {

constexpr uint64_t kSeed = 20261127;
constexpr uint64_t kCases = 60'000;
// Our own fields come on top of what was let in.
constexpr ParserLimits kWider = {
    .target_bytes_max = 2048, .head_bytes_max = 64 * 1024, .fields_max = 200};

constexpr absl::string_view kMorsels[] = {
    "\r\n",
    "\r",
    "\n",
    "\r\n\r\n",
    " ",
    "\t",
    ":",
    ";",
    ",",
    "0\r\n\r\n",
    "5\r\nhello\r\n",
    "ffffffffffffffff",
    "\x80",
    "\xff",
    "Transfer-Encoding: chunked\r\n",
    "Transfer_Encoding: chunked\r\n",
    "Content-Length: 5\r\n",
    "content_length: 7\r\n",
    "Content-Length: 0\r\n",
    "Host: b\r\n",
    "Connection: close\r\n",
    "Connection: Upgrade\r\nUpgrade: x\r\n",
    "Connection: host, content-length, transfer-encoding, x-a\r\n",
    "Connection: keep-alive\r\n",
    "Keep-Alive: timeout=5\r\n",
    "Expect: 100-continue\r\n",
    "TE: trailers\r\n",
    "X-Forwarded-For: 10.0.0.1\r\n",
    "X_Forwarded_For: 10.0.0.2\r\n",
    "Forwarded: for=10.0.0.3\r\n",
    "X-A: b\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "HTTP/1.0",
    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n",
    " 204 ",
    " 304 ",
    " 101 ",
    "0\r\nX-Sum: 1\r\nContent-Length: 9\r\n\r\n",
};

const char* const kGoodResponses[] = {
    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    "HTTP/1.1 200 OK\r\nDate: d\r\nSet-Cookie: a\r\nSet-Cookie: b\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-Sum: 1\r\n\r\n",
    "HTTP/1.1 204 No Content\r\nServer: x\r\n\r\n",
    "HTTP/1.1 304 Not Modified\r\nContent-Length: 77\r\nETag: \"a\"\r\n\r\n",
    "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\nx",
    "HTTP/1.1 404\r\nConnection: close, x-a\r\nX-A: 1\r\nKeep-Alive: 5\r\nContent-Length: "
    "1\r\n\r\ny",
    "HTTP/1.0 200 Fine\r\n\r\nuntil the end",
};

struct Message {
  std::string line;  // "GET /", "200 OK"
  std::optional<uint64_t> content_length;
  bool chunked = false;
  std::string body;
  std::vector<std::string> trailers;
  bool operator==(const Message&) const = default;
};

// --- Requests ---

struct Requests {
  std::vector<Message> messages;  // whole ones
  std::string passed_on;          // these, as a front writes them
  std::string fault;              // of a head that was read
};

int Count(const RequestHead& head, absl::string_view name) {
  int count = 0;
  for (const Field& field : head.fields) count += absl::EqualsIgnoreCase(field.name, name);
  return count;
}

// What no request that was passed on has, and what each has once.
std::string FaultOfPassedOn(const RequestHead& head) {
  if (head.minor_version != 1 || !head.keep_alive) return "not of a connection that is kept";
  for (const absl::string_view name : {"keep-alive", "proxy-connection", "http2-settings",
                                       "x_forwarded_for", "content_length", "transfer_encoding"}) {
    if (Count(head, name) > 0) return absl::StrCat(name, " was passed on");
  }
  for (const absl::string_view name :
       {"host", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "forwarded"}) {
    if (Count(head, name) != 1) return absl::StrCat(name, " is not there once");
  }
  if (head.field("x-forwarded-for") != "192.0.2.1") return "the client is not who it is";
  return "";
}

// A piece of a body, as a front writes it.
void PassOn(absl::string_view piece, Message* message, std::string* out) {
  message->body.append(piece.data(), piece.size());
  if (message->chunked) {
    AppendChunk(piece, out);
  } else {
    out->append(piece.data(), piece.size());
  }
}

Requests ReadRequests(absl::string_view bytes, const ParserLimits& limits) {
  Requests read;
  RequestParser parser(limits);
  Message message;
  std::string out;
  for (;;) {
    const Step step = parser.Next(bytes);
    bytes.remove_prefix(step.consumed);
    switch (step.kind) {
      case Step::Kind::kHead: {
        const RequestHead& head = parser.head();
        const OriginTarget target = ToOriginTarget(head.method, head.target);
        message = {.line = absl::StrCat(head.method, " ", target.slash, target.rest),
                   .content_length = head.content_length,
                   .chunked = head.chunked};
        const std::string fault = FaultOfPassedOn(head);
        if (read.fault.empty()) read.fault = fault;
        AppendForwardedRequest(
            head, {.address = "192.0.2.1", .proto = "http", .default_host = "h:1"}, &out);
        break;
      }
      case Step::Kind::kBody:
        PassOn(step.body, &message, &out);
        break;
      case Step::Kind::kComplete:
        if (message.chunked) AppendLastChunk(&out);
        read.messages.push_back(message);
        read.passed_on = out;
        break;
      case Step::Kind::kNeedMore:
      case Step::Kind::kError:
        return read;
    }
  }
}

// --- Responses ---

struct Responses {
  std::vector<Message> messages;  // whole ones; interim ones have a line only
  std::string passed_on;
};

std::vector<std::string> TextsOf(absl::Span<const Field> fields) {
  std::vector<std::string> texts;
  for (const Field& field : fields) texts.push_back(absl::StrCat(field.name, ": ", field.value));
  return texts;
}

// Those trailers that may pass, as they are read again.
std::vector<std::string> Passing(absl::Span<const Field> trailers) {
  std::string section;
  AppendLastChunk(trailers, &section);
  const std::string bytes =
      absl::StrCat("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", section);
  ResponseParser parser(kWider);
  absl::string_view rest = bytes;
  for (;;) {
    const Step step = parser.Next(rest);
    rest.remove_prefix(step.consumed);
    if (step.kind == Step::Kind::kComplete) return TextsOf(parser.trailers());
    if (step.kind != Step::Kind::kHead) return {"trailers that cannot be read"};
  }
}

void AppendRead(const ResponseParser& parser, Message* message, std::string* out) {
  const ResponseMessage& head = parser.head();
  *message = {.line = absl::StrCat(head.status, " ", head.reason)};
  if (head.body == ResponseMessage::Body::kInterim) {
    AppendInterimResponse(head, out);
    return;
  }
  const BodyFraming framing = ForwardedBody(head, 1);
  message->chunked = framing == BodyFraming::kChunked;
  if (framing == BodyFraming::kLength) message->content_length = head.content_length;
  AppendForwardedResponse(
      head, {.framing = framing, .content_length = head.content_length.value_or(0), .date = "now"},
      out);
}

// All answers to one request after another of such a kind. `cut`: bytes of an input.
Responses ReadResponses(absl::string_view bytes, Answers request, const ParserLimits& limits,
                        size_t cut) {
  Responses read;
  ResponseParser parser(limits);
  parser.Begin(request);
  Message message;
  std::string out;
  const auto complete = [&] {
    if (message.chunked) {
      AppendLastChunk(parser.trailers(), &out);
      message.trailers = Passing(parser.trailers());
    }
    read.messages.push_back(message);
    read.passed_on = out;
  };
  while (!bytes.empty() || parser.mid_message()) {
    absl::string_view piece = bytes.substr(0, cut);
    const bool end = piece.empty();
    bytes.remove_prefix(piece.size());
    for (bool more = true; more;) {
      const Step step = end ? parser.End() : parser.Next(piece);
      piece.remove_prefix(step.consumed);
      switch (step.kind) {
        case Step::Kind::kHead:
          if (parser.head().body == ResponseMessage::Body::kTunnel) return read;
          AppendRead(parser, &message, &out);
          if (parser.head().body == ResponseMessage::Body::kInterim) {
            read.messages.push_back(message);
            read.passed_on = out;
          }
          break;
        case Step::Kind::kBody:
          PassOn(step.body, &message, &out);
          break;
        case Step::Kind::kComplete:
          complete();
          parser.Begin(request);
          break;
        case Step::Kind::kNeedMore:
          more = false;
          break;
        case Step::Kind::kError:
          return read;
      }
      more = more && !end && (!piece.empty() || parser.mid_message());
    }
    if (end) return read;
  }
  return read;
}

class ForwardingFuzz : public testing::Test {
 public:
  void RunCases(const std::vector<std::string>& seeds, size_t valid,
                void (ForwardingFuzz::*check)(const std::string&, Mutator&, const std::string&)) {
    const uint64_t first = Setting("FORWARDING_FUZZ_SEED", kSeed);
    const uint64_t cases = Setting("FORWARDING_FUZZ_CASES", kCases);
    for (uint64_t seed = first; seed < first + cases; ++seed) {
      Mutator mutator(seed, seeds, valid, kMorsels);
      const std::string bytes = mutator.Make();
      (this->*check)(bytes, mutator,
                     absl::StrCat("FORWARDING_FUZZ_SEED=", seed,
                                  " FORWARDING_FUZZ_CASES=1\ninput: ", Escape(bytes)));
      if (HasFatalFailure()) return;
    }
    std::printf("%llu cases, %llu messages passed on\n", static_cast<unsigned long long>(cases),
                static_cast<unsigned long long>(passed_on_));
    // The mutations must not break everything.
    if (cases >= kCases) {
      EXPECT_GT(passed_on_, cases / 4);
    }
  }

  void CheckRequests(const std::string& bytes, Mutator&, const std::string& context) {
    const Requests read = ReadRequests(bytes, kCorpusLimits);
    passed_on_ += read.messages.size();
    const Requests again = ReadRequests(read.passed_on, kWider);
    const std::string passed = absl::StrCat(context, "\npassed on: ", Escape(read.passed_on));
    ASSERT_TRUE(again.messages == read.messages) << passed;
    ASSERT_EQ(again.fault, "") << passed;
    ASSERT_EQ(Escape(again.passed_on), Escape(read.passed_on)) << context;
    const OracleAnswer theirs = AskLlhttp(InWordsOfLlhttp(read.passed_on, kWider));
    ASSERT_EQ(theirs.messages.size(), read.messages.size()) << passed;
    for (size_t i = 0; i < read.messages.size(); ++i) {
      ASSERT_EQ(Escape(theirs.messages[i].body), Escape(read.messages[i].body)) << passed;
    }
  }

  void CheckResponses(const std::string& bytes, Mutator& mutator, const std::string& context) {
    const Answers request = mutator.Below(4) == 0 ? Answers::kHead : Answers::kOther;
    const Responses read = ReadResponses(bytes, request, kCorpusLimits, bytes.size() + 1);
    passed_on_ += read.messages.size();
    const Responses pieces =
        ReadResponses(bytes, request, kCorpusLimits, 1 + mutator.Below(mutator.Below(64) + 1));
    const std::string passed = absl::StrCat(context, "\npassed on: ", Escape(read.passed_on));
    ASSERT_TRUE(pieces.messages == read.messages) << "in pieces\n" << passed;
    const Responses again =
        ReadResponses(read.passed_on, request, kWider, read.passed_on.size() + 1);
    ASSERT_TRUE(again.messages == read.messages) << passed;
    ASSERT_EQ(Escape(again.passed_on), Escape(read.passed_on)) << context;
  }

  uint64_t passed_on_ = 0;
};

TEST_F(ForwardingFuzz, ARequestIsTheSameBehindTheFront) {
  std::vector<std::string> seeds;
  for (const Case& example : ValidCases()) seeds.push_back(example.bytes);
  const size_t valid = seeds.size();
  for (const Case& example : InvalidCases()) seeds.push_back(example.bytes);
  RunCases(seeds, valid, &ForwardingFuzz::CheckRequests);
}

TEST_F(ForwardingFuzz, AResponseIsTheSameBeforeTheFront) {
  std::vector<std::string> seeds(std::begin(kGoodResponses), std::end(kGoodResponses));
  const size_t valid = seeds.size();
  seeds.push_back("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n");
  seeds.push_back("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\nbytes");
  RunCases(seeds, valid, &ForwardingFuzz::CheckResponses);
}

}  // namespace
}  // namespace uc::http
