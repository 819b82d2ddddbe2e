#include "core/http/response_parser.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "core/http/chunked_body.h"
#include "core/http/fault.h"
#include "core/http/field_block.h"
#include "core/http/framing.h"
#include "core/http/head_scan.h"
#include "core/http/read_fields.h"
#include "core/http/syntax.h"

namespace uc::http {
namespace {

constexpr int kBadGateway = 502;
constexpr size_t kVersionBytes = sizeof("HTTP/1.1") - 1;
constexpr size_t kStatusEnd = sizeof("HTTP/1.1 200") - 1;

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// RFC 9112 section 4: version SP status SP reason. Servers leave out the second space with an empty reason.
Fault ReadStatusLine(absl::string_view line, ResponseMessage* head) {
  constexpr Fault kMalformed = {.status = kBadGateway, .reason = "malformed status line"};
  if (line.size() < kStatusEnd || line.substr(0, 7) != "HTTP/1." || !IsDigit(line[7]) ||
      line[kVersionBytes] != ' ') {
    return kMalformed;
  }
  int status = 0;
  for (const char c : line.substr(kVersionBytes + 1, 3)) {
    if (!IsDigit(c)) return kMalformed;
    status = status * 10 + (c - '0');
  }
  if (status < 100) return kMalformed;
  absl::string_view reason = line.substr(kStatusEnd);
  if (!reason.empty() && reason.front() != ' ') return kMalformed;
  if (!reason.empty()) reason.remove_prefix(1);
  head->minor_version = line[7] == '0' ? 0 : 1;
  head->status = status;
  head->reason = reason;
  return Fault();
}

}  // namespace

struct ResponseParser::State {
  enum class Phase {
    kBetween,     // nothing of a response was seen
    kHead,        // some bytes of a head were seen
    kBody,        // `body_left` bytes are still to come
    kChunked,     // in a chunked body
    kUntilClose,  // in a body that the end of the connection ends
    kEnded,       // the message has no (more) body: the next step completes it
    kError,
  };
  //  kBetween ──> kHead ──kHead──> kBody, kChunked, kUntilClose or kEnded ──kComplete──> kBetween
  //                 └─ interim head ──> kBetween
  //  any ──kError──> kError

  explicit State(const ParserLimits& chosen) : limits(chosen) {}

  Step ReadHead(absl::string_view input);
  Step ReadBody(absl::string_view input);
  Step ReadChunked(absl::string_view input);
  Fault ReadCompleteHead(absl::string_view bytes, size_t line_bytes);
  bool ReadLikeLast(absl::string_view input, size_t* taken);
  void BeginBody();
  Step Complete();
  Step Fail(absl::string_view reason);

  const ParserLimits limits;
  Answers request = Answers::kOther;
  Phase phase = Phase::kBetween;
  HeadScan scan;
  std::string spill;  // a head that came in pieces
  FieldBlock block;
  ResponseMessage head;
  uint64_t body_left = 0;
  ChunkedBody chunked;
  std::string trailer_lines;
  std::vector<Field> trailers;
  absl::string_view fault;
};

[[gnu::cold]] Step ResponseParser::State::Fail(absl::string_view reason) {
  phase = Phase::kError;
  fault = reason;
  return Step{.kind = Step::Kind::kError, .status = kBadGateway, .reason = reason};
}

Step ResponseParser::State::Complete() {
  phase = Phase::kBetween;
  return Step{.kind = Step::Kind::kComplete};
}

[[gnu::hot]] Step ResponseParser::State::ReadHead(absl::string_view input) {
  if (input.empty()) return Step();
  if (phase == Phase::kBetween) {
    if (size_t taken = 0; ReadLikeLast(input, &taken)) {
      BeginBody();
      return Step{.kind = Step::Kind::kHead, .consumed = taken};
    }
    phase = Phase::kHead;
    scan.Begin();
    spill.clear();
    trailers.clear();
  }
  const size_t before = scan.taken();
  input = input.substr(0, limits.head_bytes_max - before);
  const HeadScan::Result result = scan.Scan(input);
  if (result == HeadScan::Result::kBad) return Fail(scan.fault().reason);
  const size_t taken = scan.taken() - before;
  absl::string_view seen = input.substr(0, taken);
  if (before > 0 || result == HeadScan::Result::kNeedMore) {
    spill.append(seen.data(), seen.size());
    seen = spill;
  }
  if (result == HeadScan::Result::kNeedMore) {
    // Another protocol is found out at its first bytes, not at the end of a head that never comes.
    constexpr absl::string_view kBegin = "HTTP/1.";
    const size_t known = std::min(seen.size(), kBegin.size());
    if (seen.substr(0, known) != kBegin.substr(0, known)) return Fail("malformed status line");
    if (scan.taken() >= limits.head_bytes_max) return Fail("head too large");
    return Step{.consumed = taken};
  }
  if (const Fault bad = ReadCompleteHead(seen, scan.request_line_bytes())) return Fail(bad.reason);
  return Step{.kind = Step::Kind::kHead, .consumed = taken};
}

Fault ResponseParser::State::ReadCompleteHead(absl::string_view bytes, size_t line_bytes) {
  if (const Fault bad = ReadStatusLine(bytes.substr(0, line_bytes), &head)) return bad;
  Fault bad = block.Read(bytes.substr(line_bytes), limits.fields_max);
  head.fields = block.fields();
  if (!bad) bad = ReadFraming(&head);
  if (bad) {
    block.Forget();
    return bad;
  }
  BeginBody();
  return Fault();
}

// A whole head whose field lines are those of the last one, or differ in values that do not bear on framing.
[[gnu::hot]] bool ResponseParser::State::ReadLikeLast(absl::string_view input, size_t* taken) {
  const size_t line_bytes = input.find('\r');
  if (line_bytes == absl::string_view::npos) return false;
  const size_t block_bytes = block.Take(input.substr(line_bytes));
  if (block_bytes == 0) return false;
  *taken = line_bytes + block_bytes;
  if (*taken > limits.head_bytes_max) return false;
  const int minor_version = head.minor_version;
  ResponseMessage read = head;
  const absl::string_view line = input.substr(0, line_bytes);
  for (const char c : line) {
    if (IsControl(c) && c != '\t') return false;  // HeadScan says what is wrong with it
  }
  if (ReadStatusLine(line, &read) || read.minor_version != minor_version) return false;
  head = read;
  head.fields = block.fields();
  trailers.clear();
  return true;
}

void ResponseParser::State::BeginBody() {
  head.body = BodyOf(head, request);
  switch (head.body) {
    case ResponseMessage::Body::kInterim:
      phase = Phase::kBetween;
      return;
    case ResponseMessage::Body::kNone:
    case ResponseMessage::Body::kTunnel:
      phase = Phase::kEnded;
      return;
    case ResponseMessage::Body::kLength:
      body_left = *head.content_length;
      phase = body_left > 0 ? Phase::kBody : Phase::kEnded;
      return;
    case ResponseMessage::Body::kChunked:
      phase = Phase::kChunked;
      chunked.Begin(limits);
      trailer_lines.clear();
      chunked.KeepTrailers(&trailer_lines);
      return;
    case ResponseMessage::Body::kUntilClose:
      phase = Phase::kUntilClose;
      return;
  }
}

[[gnu::hot]] Step ResponseParser::State::ReadBody(absl::string_view input) {
  const size_t size = phase == Phase::kUntilClose
                          ? input.size()
                          : static_cast<size_t>(std::min<uint64_t>(body_left, input.size()));
  if (size == 0) return Step();
  if (phase == Phase::kBody) {
    body_left -= size;
    if (body_left == 0) phase = Phase::kEnded;
  }
  return Step{.kind = Step::Kind::kBody, .consumed = size, .body = input.substr(0, size)};
}

Step ResponseParser::State::ReadChunked(absl::string_view input) {
  const Step step = chunked.Next(input);
  if (step.kind == Step::Kind::kError) return Fail(step.reason);
  if (step.kind != Step::Kind::kComplete) return step;
  if (const Fault bad = ReadFields(trailer_lines, limits.fields_max, &trailers)) {
    return Fail(bad.reason);
  }
  phase = Phase::kBetween;
  return step;
}

ResponseParser::ResponseParser(const ParserLimits& limits)
    : state_(std::make_unique<State>(limits)) {}
ResponseParser::ResponseParser(ResponseParser&&) noexcept = default;
ResponseParser& ResponseParser::operator=(ResponseParser&&) noexcept = default;
ResponseParser::~ResponseParser() = default;

void ResponseParser::Begin(Answers request) { state_->request = request; }

[[gnu::hot]] Step ResponseParser::Next(absl::string_view input) {
  State& state = *state_;
  switch (state.phase) {
    case State::Phase::kBetween:
    case State::Phase::kHead:
      return state.ReadHead(input);
    case State::Phase::kBody:
    case State::Phase::kUntilClose:
      return state.ReadBody(input);
    case State::Phase::kChunked:
      return state.ReadChunked(input);
    case State::Phase::kEnded:
      return state.Complete();
    case State::Phase::kError:
      break;
  }
  return state.Fail(state.fault);
}

Step ResponseParser::End() {
  State& state = *state_;
  switch (state.phase) {
    case State::Phase::kBetween:
      return Step();
    case State::Phase::kUntilClose:
    case State::Phase::kEnded:
      return state.Complete();
    case State::Phase::kHead:
      return state.Fail("connection ended within a head");
    case State::Phase::kBody:
    case State::Phase::kChunked:
      return state.Fail("connection ended within a body");
    case State::Phase::kError:
      break;
  }
  return state.Fail(state.fault);
}

const ResponseMessage& ResponseParser::head() const { return state_->head; }

absl::Span<const Field> ResponseParser::trailers() const { return state_->trailers; }

bool ResponseParser::mid_message() const {
  switch (state_->phase) {
    case State::Phase::kHead:
    case State::Phase::kBody:
    case State::Phase::kChunked:
    case State::Phase::kUntilClose:
    case State::Phase::kEnded:
      return true;
    case State::Phase::kBetween:
    case State::Phase::kError:
      break;
  }
  return false;
}

}  // namespace uc::http
