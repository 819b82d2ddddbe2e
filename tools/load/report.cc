#include "tools/load/report.h"

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace uc::load {
namespace {

using Json = nlohmann::ordered_json;

double Ms(int64_t nanoseconds) { return static_cast<double>(nanoseconds) / 1e6; }

double PerSecond(uint64_t count, const Course& course) {
  return course.seconds > 0 ? static_cast<double>(count) / course.seconds : 0;
}

Json Latencies(const Histogram& histogram) {
  return {{"min", Ms(histogram.min())},
          {"mean", histogram.mean() / 1e6},
          {"deviation", histogram.deviation() / 1e6},
          {"p50", Ms(histogram.Quantile(0.5))},
          {"p75", Ms(histogram.Quantile(0.75))},
          {"p90", Ms(histogram.Quantile(0.9))},
          {"p99", Ms(histogram.Quantile(0.99))},
          {"p999", Ms(histogram.Quantile(0.999))},
          {"p9999", Ms(histogram.Quantile(0.9999))},
          {"max", Ms(histogram.max())}};
}

// A duration with three digits and the unit that suits it.
std::string Short(double nanoseconds) {
  if (nanoseconds < 1e6) return absl::StrFormat("%.3g us", nanoseconds / 1e3);
  if (nanoseconds < 1e9) return absl::StrFormat("%.3g ms", nanoseconds / 1e6);
  return absl::StrFormat("%.3g s", nanoseconds / 1e9);
}

std::string Line(const char* name, const Histogram& histogram) {
  std::string line = absl::StrFormat("%-10s", name);
  constexpr struct {
    const char* name;
    double q;
  } kQuantiles[] = {
      {"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p99.9", 0.999}, {"p99.99", 0.9999}};
  for (const auto& quantile : kQuantiles) {
    absl::StrAppend(&line, quantile.name, " ",
                    Short(static_cast<double>(histogram.Quantile(quantile.q))), "  ");
  }
  absl::StrAppend(&line, "max ", Short(static_cast<double>(histogram.max())), "  mean ",
                  Short(histogram.mean()), " +- ", Short(histogram.deviation()), "\n");
  return line;
}

}  // namespace

std::string ToJson(const Tally& tally, const Course& course) {
  Json json = {{"attempts", tally.attempts()}, {"lost", tally.lost()}};
  for (size_t kind = 0; kind < kKinds; ++kind) {
    json[Name(static_cast<Kind>(kind))] = tally.of(static_cast<Kind>(kind));
  }
  json["slow"] = tally.slow();
  json["seconds"] = course.seconds;
  json["requests_per_second"] = PerSecond(tally.of(Kind::kOk), course);
  json["bytes"] = tally.bytes();
  json["bytes_per_second"] = PerSecond(tally.bytes(), course);
  json["latency_ms"] = Latencies(tally.latency());
  if (course.rate > 0) {
    json["rate"] = course.rate;
    json["service_ms"] = Latencies(tally.service());
    json["not_begun"] = tally.not_begun();
    json["late_max_ms"] = Ms(tally.late_max_ns());
  }
  json["longest_gap_ms"] = Ms(tally.longest_gap_ns());
  json["connections_opened"] = tally.opened();
  json["idle_closed"] = tally.idle_closed();
  json["announced_closed"] = tally.announced_closed();
  json["cpu_seconds"] = course.cpu_seconds;
  if (!tally.header_values().empty()) json["header_values"] = tally.header_values();
  Json failures = Json::array();
  for (const Failure& failure : tally.failures()) {
    failures.push_back({{"at", failure.at_seconds},
                        {"kind", Name(failure.kind)},
                        {"local_port", failure.local_port},
                        {"bytes", failure.bytes},
                        {"detail", failure.detail}});
  }
  json["failures"] = failures;
  if (course.buckets == Course::Buckets::kYes) {
    Json buckets = Json::array();
    tally.latency().Each([&buckets](int64_t first, int64_t last, uint64_t count) {
      buckets.push_back({first, last, count});
    });
    json["histogram_ns"] = buckets;
  }
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string ToText(const Tally& tally, const Course& course) {
  std::string text =
      absl::StrFormat("%d attempts in %.2f s: %.0f answers/s, %.1f MB/s, %d lost, %d slow\n",
                      tally.attempts(), course.seconds, PerSecond(tally.of(Kind::kOk), course),
                      PerSecond(tally.bytes(), course) / 1e6, tally.lost(), tally.slow());
  for (size_t kind = 1; kind < kKinds; ++kind) {
    const uint64_t count = tally.of(static_cast<Kind>(kind));
    if (count > 0) absl::StrAppend(&text, "  ", Name(static_cast<Kind>(kind)), " ", count, "\n");
  }
  for (size_t i = 0; i < tally.failures().size() && i < 3; ++i) {
    const Failure& failure = tally.failures()[i];
    absl::StrAppendFormat(&text, "    at %.3f s: %s %s\n", failure.at_seconds, Name(failure.kind),
                          failure.detail);
  }
  text += Line("latency", tally.latency());
  if (course.rate > 0) {
    text += Line("service", tally.service());
    if (tally.not_begun() > 0) {
      absl::StrAppend(&text, "  ", tally.not_begun(),
                      " attempts were due and found no free connection until the end\n");
    }
    absl::StrAppend(&text, "  the generator itself was late by at most ",
                    Short(static_cast<double>(tally.late_max_ns())), "\n");
  }
  absl::StrAppend(&text, "connections opened ", tally.opened(), ", closed by the server when idle ",
                  tally.idle_closed() + tally.announced_closed(), " (", tally.announced_closed(),
                  " announced)\n");
  if (tally.attempts() > 0) {
    absl::StrAppendFormat(&text, "the generator's own CPU time: %.2f us an attempt\n",
                          course.cpu_seconds / static_cast<double>(tally.attempts()) * 1e6);
  }
  return text;
}

}  // namespace uc::load
