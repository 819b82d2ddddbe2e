#include "tools/load/tally.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"

namespace uc::load {

const char* Name(Kind kind) {
  switch (kind) {
    case Kind::kOk:
      return "ok";
    case Kind::kRefused:
      return "refused";
    case Kind::kResetBeforeAnswer:
      return "reset_before_answer";
    case Kind::kResetMidAnswer:
      return "reset_mid_answer";
    case Kind::kEofBeforeAnswer:
      return "eof_before_answer";
    case Kind::kEofMidAnswer:
      return "eof_mid_answer";
    case Kind::kTimeoutConnect:
      return "timeout_connect";
    case Kind::kTimeoutAnswer:
      return "timeout_answer";
    case Kind::kBadAnswer:
      return "bad_answer";
    case Kind::kLocalError:
      return "local_error";
  }
  return "?";
}

void Tally::Ok(int64_t latency_us, int64_t slow_us) {
  ++kinds_[static_cast<size_t>(Kind::kOk)];
  slow_ += latency_us > slow_us;
  latency_max_us_ = std::max(latency_max_us_, latency_us);
  ++latency_[scoreboard::BucketOf(static_cast<uint64_t>(std::max<int64_t>(latency_us, 0)))];
}

void Tally::Fail(Failure failure) {
  ++kinds_[static_cast<size_t>(failure.kind)];
  if (failures_.size() < kFailuresKept) failures_.push_back(std::move(failure));
}

void Tally::AnswerAt(int64_t now_ns) {
  if (last_answer_ns_ != 0) longest_gap_ns_ = std::max(longest_gap_ns_, now_ns - last_answer_ns_);
  last_answer_ns_ = now_ns;
}

uint64_t Tally::lost() const {
  uint64_t lost = 0;
  for (size_t kind = 0; kind < kKinds; ++kind) {
    const auto one = static_cast<Kind>(kind);
    if (one != Kind::kOk && one != Kind::kLocalError) lost += kinds_[kind];
  }
  return lost;
}

std::string Tally::ToJson(double seconds) const {
  const auto ms = [this](double quantile) {
    return static_cast<double>(scoreboard::Quantile(latency_, quantile)) / 1000;
  };
  nlohmann::ordered_json json = {{"attempts", attempts_}, {"lost", lost()}};
  for (size_t kind = 0; kind < kKinds; ++kind) json[Name(static_cast<Kind>(kind))] = kinds_[kind];
  json["slow"] = slow_;
  json["seconds"] = seconds;
  json["requests_per_second"] = seconds > 0 ? static_cast<double>(of(Kind::kOk)) / seconds : 0;
  json["latency_ms"] = {{"p50", ms(0.5)},
                        {"p90", ms(0.9)},
                        {"p99", ms(0.99)},
                        {"p999", ms(0.999)},
                        {"max", static_cast<double>(latency_max_us_) / 1000}};
  json["longest_gap_ms"] = static_cast<double>(longest_gap_ns_) / 1e6;
  json["connections_opened"] = opened_;
  json["idle_closed"] = idle_closed_;
  json["announced_closed"] = announced_closed_;
  if (!header_values_.empty()) json["header_values"] = header_values_;
  nlohmann::ordered_json failures = nlohmann::ordered_json::array();
  for (const Failure& failure : failures_) {
    failures.push_back({{"at", failure.at_seconds},
                        {"kind", Name(failure.kind)},
                        {"local_port", failure.local_port},
                        {"bytes", failure.bytes},
                        {"detail", failure.detail}});
  }
  json["failures"] = failures;
  return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

std::string Tally::ToText(double seconds) const {
  const auto us = [this](double quantile) { return scoreboard::Quantile(latency_, quantile); };
  std::string text = absl::StrCat(attempts_, " attempts in ", seconds, " s, ", lost(), " lost, ",
                                  slow_, " slow\n");
  for (size_t kind = 0; kind < kKinds; ++kind) {
    if (kinds_[kind] > 0) {
      absl::StrAppend(&text, "  ", Name(static_cast<Kind>(kind)), " ", kinds_[kind], "\n");
    }
  }
  absl::StrAppend(&text, "latency us: p50 ", us(0.5), " p90 ", us(0.9), " p99 ", us(0.99),
                  " p99.9 ", us(0.999), " max ", latency_max_us_, "\nconnections opened ", opened_,
                  ", closed by the server when idle ", idle_closed_ + announced_closed_, " (",
                  announced_closed_, " announced)\n");
  return text;
}

}  // namespace uc::load
