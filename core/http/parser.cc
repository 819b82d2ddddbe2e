#include "core/http/parser.h"

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
#include "core/http/request_line.h"

namespace uc::http {
namespace {

// What an idle parser keeps of the memory that an unusual head once needed.
constexpr size_t kSpillBytesKept = 16 * 1024;
constexpr size_t kFieldsKept = 64;

}  // namespace

struct RequestParser::State {
  enum class Phase {
    kBlank,    // before a message: only blank lines were seen
    kHead,     // some bytes of a head were seen
    kBody,     // `body_left` bytes of a body with Content-Length are still to come; 0: no body
    kChunked,  // in a chunked body
    kError,
  };
  //  kBlank ──> kHead ──kHead──> kBody or kChunked ──kComplete──> kBlank
  //  any ──kError──> kError ──Reset──> kBlank

  explicit State(const ParserLimits& chosen) : limits(chosen) {}

  Step ReadBlank(absl::string_view input);
  Step ReadHead(absl::string_view input);
  bool ReadLikeLast(absl::string_view input, size_t* taken);
  void BeginBody();
  Fault CheckRequestLine(absl::string_view seen);
  Fault ReadCompleteHead(absl::string_view bytes);
  Step ReadBody(absl::string_view input);
  Step ReadChunked(absl::string_view input);
  Step Fail(const Fault& why);
  void BeginBlank();

  const ParserLimits limits;
  Phase phase = Phase::kBlank;
  BlankLines blank;
  HeadScan scan;
  RequestLine line;
  std::string spill;  // the head, if it came in pieces, or its request line, if it is retained
  FieldBlock block;   // `head` says what it means for the body and the connection in that version
  RequestHead head;
  uint64_t body_left = 0;
  ChunkedBody chunked;
  std::string trailer_lines;
  std::vector<Field> trailers;
  Fault fault;
};

void RequestParser::State::BeginBlank() {
  phase = Phase::kBlank;
  blank.Begin();
}

[[gnu::cold]] Step RequestParser::State::Fail(const Fault& why) {
  phase = Phase::kError;
  fault = why;
  return Step{.kind = Step::Kind::kError, .status = why.status, .reason = why.reason};
}

[[gnu::hot]] Step RequestParser::State::ReadBlank(absl::string_view input) {
  if (size_t taken = 0; blank.none() && ReadLikeLast(input, &taken)) {
    BeginBody();
    return Step{.kind = Step::Kind::kHead, .consumed = taken};
  }
  const size_t skipped = blank.Skip(input);
  if (blank.fault()) return Fail(blank.fault());
  if (skipped == input.size()) return Step{.consumed = skipped};
  phase = Phase::kHead;
  scan.Begin();
  line = RequestLine();
  spill.clear();
  Step step = ReadHead(input.substr(skipped));
  if (step.kind != Step::Kind::kError) step.consumed += skipped;
  return step;
}

Step RequestParser::State::ReadHead(absl::string_view input) {
  const size_t before = scan.taken();
  const bool line_known = scan.request_line_bytes() > 0;
  input = input.substr(0, limits.head_bytes_max - before);
  const HeadScan::Result result = scan.Scan(input);
  const size_t taken = result == HeadScan::Result::kBad ? input.size() : scan.taken() - before;
  absl::string_view seen = input.substr(0, taken);
  if (before > 0 || result == HeadScan::Result::kNeedMore) {
    spill.append(seen.data(), seen.size());
    seen = spill;
  }
  // What comes first in the head is judged first, whatever else has arrived with it.
  if (!line_known) {
    if (const Fault bad = CheckRequestLine(seen)) return Fail(bad);
  }
  switch (result) {
    case HeadScan::Result::kBad:
      return Fail(scan.fault());
    case HeadScan::Result::kNeedMore:
      if (scan.taken() < limits.head_bytes_max) return Step{.consumed = taken};
      return Fail(scan.request_line_bytes() > 0 ? Fault{.status = 431, .reason = "head too large"}
                                                : JudgeEndlessLine(seen, limits.target_bytes_max));
    case HeadScan::Result::kComplete:
      break;
  }
  if (const Fault bad = ReadCompleteHead(seen)) return Fail(bad);
  return Step{.kind = Step::Kind::kHead, .consumed = taken};
}

// Once, as soon as its end is in `seen`, which begins with it.
Fault RequestParser::State::CheckRequestLine(absl::string_view seen) {
  const size_t bytes = scan.request_line_bytes();
  if (bytes == 0) return Fault();
  return ReadRequestLine(seen.substr(0, bytes), limits.target_bytes_max, &line, limits.connect);
}

Fault RequestParser::State::ReadCompleteHead(absl::string_view bytes) {
  Fault bad = block.Read(bytes.substr(scan.request_line_bytes()), limits.fields_max);
  head.method = line.method(bytes);
  head.target = line.target(bytes);
  head.minor_version = line.minor_version;
  head.fields = block.fields();
  if (!bad) bad = ReadFraming(&head);
  // RFC 9110 9.3.6: such a body has no meaning, so one reader may skip it and the next take it for the tunnel's bytes.
  if (!bad && head.method == "CONNECT" && (head.chunked || head.content_length.has_value())) {
    bad = {.status = 400, .reason = "body of CONNECT"};
  }
  if (bad) {
    block.Forget();
    return bad;
  }
  BeginBody();
  return Fault();
}

// A whole head whose field lines are as those of the last one. Whatever is not quite so is left to ReadHead.
[[gnu::hot]] bool RequestParser::State::ReadLikeLast(absl::string_view input, size_t* taken) {
  const size_t line_bytes = input.find('\r');
  if (line_bytes == absl::string_view::npos) return false;
  const size_t block_bytes = block.Take(input.substr(line_bytes));
  if (block_bytes == 0) return false;
  *taken = line_bytes + block_bytes;
  if (*taken > limits.head_bytes_max) return false;
  RequestLine read;
  // Not CONNECT: what may stand in its fields is another thing.
  if (ReadRequestLine(input.substr(0, line_bytes), limits.target_bytes_max, &read)) return false;
  if (read.minor_version != head.minor_version) return false;
  head.method = read.method(input);
  head.target = read.target(input);
  head.fields = block.fields();
  return true;
}

void RequestParser::State::BeginBody() {
  trailers.clear();
  if (head.chunked) {
    phase = Phase::kChunked;
    chunked.Begin(limits);
    trailer_lines.clear();
    if (limits.trailers == Trailers::kKept) chunked.KeepTrailers(&trailer_lines);
  } else {
    phase = Phase::kBody;
    body_left = head.content_length.value_or(0);
  }
}

[[gnu::hot]] Step RequestParser::State::ReadBody(absl::string_view input) {
  if (body_left == 0) {
    BeginBlank();
    return Step{.kind = Step::Kind::kComplete};
  }
  const size_t size = static_cast<size_t>(std::min<uint64_t>(body_left, input.size()));
  if (size == 0) return Step();
  body_left -= size;
  return Step{.kind = Step::Kind::kBody, .consumed = size, .body = input.substr(0, size)};
}

Step RequestParser::State::ReadChunked(absl::string_view input) {
  const Step step = chunked.Next(input);
  if (step.kind == Step::Kind::kError) return Fail({.status = step.status, .reason = step.reason});
  if (step.kind != Step::Kind::kComplete) return step;
  if (!trailer_lines.empty()) {
    if (const Fault bad = ReadFields(trailer_lines, limits.fields_max, &trailers)) return Fail(bad);
  }
  BeginBlank();
  return step;
}

RequestParser::RequestParser(const ParserLimits& limits)
    : state_(std::make_unique<State>(limits)) {}
RequestParser::RequestParser(RequestParser&&) noexcept = default;
RequestParser& RequestParser::operator=(RequestParser&&) noexcept = default;
RequestParser::~RequestParser() = default;

[[gnu::hot]] Step RequestParser::Next(absl::string_view input) {
  State& state = *state_;
  switch (state.phase) {
    case State::Phase::kBlank:
      return state.ReadBlank(input);
    case State::Phase::kHead:
      return state.ReadHead(input);
    case State::Phase::kBody:
      return state.ReadBody(input);
    case State::Phase::kChunked:
      return state.ReadChunked(input);
    case State::Phase::kError:
      break;
  }
  return state.Fail(state.fault);
}

const RequestHead& RequestParser::head() const { return state_->head; }

absl::Span<const Field> RequestParser::trailers() const { return state_->trailers; }

void RequestParser::RetainHead() {
  State& state = *state_;
  const char* const line = state.head.method.data();
  if (line == nullptr || line == state.spill.data()) return;
  const char* const target = state.head.target.data();
  const size_t method_bytes = state.head.method.size();
  const size_t target_bytes = state.head.target.size();
  const size_t target_at = static_cast<size_t>(target - line);
  state.spill.assign(line, target_at + target_bytes);
  state.head.method = absl::string_view(state.spill.data(), method_bytes);
  state.head.target = absl::string_view(state.spill.data() + target_at, target_bytes);
}

bool RequestParser::mid_message() const {
  switch (state_->phase) {
    case State::Phase::kHead:
    case State::Phase::kBody:
    case State::Phase::kChunked:
      return true;
    case State::Phase::kBlank:
    case State::Phase::kError:
      break;
  }
  return false;
}

bool RequestParser::pristine() const {
  return state_->phase == State::Phase::kBlank && state_->blank.none();
}

[[gnu::hot]] void RequestParser::Reset() {
  State& state = *state_;
  state.BeginBlank();
  state.fault = Fault();
  state.head.method = state.head.target = {};
  state.trailers.clear();
  if (state.trailers.capacity() > kFieldsKept) std::vector<Field>().swap(state.trailers);
  for (std::string* const bytes : {&state.spill, &state.trailer_lines}) {
    if (bytes->capacity() > kSpillBytesKept) std::string().swap(*bytes);
  }
  state.block.Trim(kSpillBytesKept, kFieldsKept);
  state.head.fields = state.block.fields();
}

}  // namespace uc::http
