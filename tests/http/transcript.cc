#include "tests/http/transcript.h"

#include <algorithm>
#include <cstring>
#include <memory>

#include "absl/strings/str_cat.h"

namespace uc::http {
namespace {

// Enough for a message of every byte; more steps than this and the parser runs in circles.
size_t StepsMax(size_t bytes) { return 3 * bytes + 8; }

bool Within(absl::string_view piece, absl::string_view whole) {
  return piece.data() >= whole.data() && piece.data() + piece.size() <= whole.data() + whole.size();
}

}  // namespace

void Transcript::Check(bool holds, absl::string_view claim) {
  if (!holds && breach_.empty()) breach_ = std::string(claim);
}

void Transcript::Feed(absl::string_view bytes) {
  const std::unique_ptr<char[]> copy(new char[bytes.size()]);
  if (!bytes.empty()) std::memcpy(copy.get(), bytes.data(), bytes.size());
  absl::string_view rest(copy.get(), bytes.size());
  for (size_t steps = 0;; ++steps) {
    if (steps > StepsMax(bytes.size())) return Check(false, "the parser runs in circles");
    const Step step = parser_.Next(rest);
    Check(step.consumed <= rest.size(), "a step takes no more than there is");
    if (step.kind == Step::Kind::kNeedMore) {
      Check(step.consumed == rest.size(), "who needs more has taken all");
      break;
    }
    Take(step, rest);
    if (step.kind == Step::Kind::kError) break;
    rest.remove_prefix(std::min(step.consumed, rest.size()));
  }
  if (failed_) return;
  // The input goes away now: the head must survive, and say the same.
  if (!head_text_.empty()) parser_.RetainHead();
  Check(parser_.mid_message() || head_text_.empty(), "mid_message() from head to completion");
}

void Transcript::Take(const Step& step, absl::string_view input) {
  switch (step.kind) {
    case Step::Kind::kNeedMore:
      return;
    case Step::Kind::kHead:
      Check(!failed_ && head_text_.empty(), "a head begins a message");
      Check(step.consumed > 0, "a head has bytes");
      head_text_ = HeadText();
      text_ += head_text_;
      return;
    case Step::Kind::kBody:
      Check(!failed_ && !head_text_.empty(), "a body belongs to a head");
      Check(!step.body.empty(), "a piece of a body is never empty");
      Check(Within(step.body, input.substr(0, step.consumed)), "a piece lies in what was taken");
      body_.append(step.body.data(), step.body.size());
      return;
    case Step::Kind::kComplete:
      Check(!failed_ && !head_text_.empty(), "completion belongs to a head");
      Check(HeadText() == head_text_, "head() holds until completion");
      Check(!parser_.mid_message(), "no message is under way after completion");
      if (!body_.empty()) absl::StrAppend(&text_, "  body: ", Escape(body_), "\n");
      absl::StrAppend(&text_, "complete\n");
      body_.clear();
      head_text_.clear();
      ++messages_;
      return;
    case Step::Kind::kError: {
      Check(step.status >= 400 && step.status <= 505 && !step.reason.empty(),
            "an error has a status and a reason");
      const std::string line = absl::StrCat("error ", step.status, " ", step.reason, "\n");
      if (failed_) {
        Check(absl::string_view(text_).substr(text_.size() - line.size()) == line,
              "an error stays the same error");
        return;
      }
      if (!body_.empty()) absl::StrAppend(&text_, "  body: ", Escape(body_), "\n");
      text_ += line;
      failed_ = true;
      return;
    }
  }
}

std::string Transcript::HeadText() const {
  const RequestHead& head = parser_.head();
  std::string text = absl::StrCat(head.method, " ", Escape(head.target), " HTTP/1.",
                                  head.minor_version, head.keep_alive ? ", keep-alive" : ", close");
  if (head.content_length) absl::StrAppend(&text, ", length ", *head.content_length);
  if (head.chunked) absl::StrAppend(&text, ", chunked");
  if (head.expects_continue) absl::StrAppend(&text, ", expects-continue");
  text += "\n";
  for (const Field& field : head.fields) {
    absl::StrAppend(&text, "  ", field.name, ": ", Escape(field.value), "\n");
  }
  return text;
}

std::string Transcript::Text() {
  std::string text = text_;
  if (!failed_ && parser_.mid_message()) {
    if (!body_.empty()) absl::StrAppend(&text, "  body: ", Escape(body_), "\n");
    absl::StrAppend(&text, "unfinished\n");
  }
  if (!breach_.empty()) absl::StrAppend(&text, "BREACH: ", breach_, "\n");
  return text;
}

std::string TranscriptOf(absl::string_view bytes, const std::function<size_t()>& next_size,
                         const ParserLimits& limits) {
  Transcript transcript(limits);
  while (!bytes.empty()) {
    const size_t size = std::min(next_size(), bytes.size());
    transcript.Feed(bytes.substr(0, size));
    bytes.remove_prefix(size);
  }
  return transcript.Text();
}

std::string TranscriptOfWhole(absl::string_view bytes, const ParserLimits& limits) {
  return TranscriptOf(
      bytes, [&] { return bytes.size(); }, limits);
}

std::string TranscriptOfTwo(absl::string_view bytes, size_t cut, const ParserLimits& limits) {
  size_t inputs = 0;
  return TranscriptOf(
      bytes, [&] { return inputs++ == 0 ? cut : bytes.size(); }, limits);
}

std::string TranscriptOfBytes(absl::string_view bytes, const ParserLimits& limits) {
  return TranscriptOf(
      bytes, [] { return 1; }, limits);
}

}  // namespace uc::http
