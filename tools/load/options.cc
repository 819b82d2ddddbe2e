#include "tools/load/options.h"

#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <string>

#include "absl/flags/flag.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

ABSL_FLAG(std::string, target, "127.0.0.1:8080", "ADDR:PORT, several by comma");
ABSL_FLAG(std::string, source, "", "addresses to come from, by comma, in turn");
ABSL_FLAG(std::string, method, "GET", "of the request");
ABSL_FLAG(std::string, path, "/", "what is asked for");
ABSL_FLAG(std::string, headers, "", "more request headers: 'Accept: */*|Cookie: a=b'");
ABSL_FLAG(std::string, mode, "new", "new: a connection per request; keep_alive");
ABSL_FLAG(int, connections, 10, "at one time");
ABSL_FLAG(int, pipeline, 1, "requests under way on one connection (keep_alive)");
ABSL_FLAG(int, threads, 1, "each with its own ring; connections and rate are split among them");
ABSL_FLAG(std::string, cpus, "", "processors for the threads, in turn: 1 or 0,2-3");
ABSL_FLAG(double, rate, 0,
          "requests a second over all connections; 0 = as fast as they are answered");
ABSL_FLAG(std::string, arrivals, "even", "with --rate: even or poisson");
ABSL_FLAG(int64_t, seed, 1, "of poisson arrivals");
ABSL_FLAG(absl::Duration, think, absl::ZeroDuration(),
          "between an answer and the next request of a connection");
ABSL_FLAG(absl::Duration, duration, absl::ZeroDuration(),
          "how long; 0 = 10s, or with --requests until they are done");
ABSL_FLAG(int64_t, requests, 0, "end after so many attempts; 0 = by time");
ABSL_FLAG(absl::Duration, timeout, absl::Seconds(5), "for one attempt");
ABSL_FLAG(absl::Duration, slow, absl::Milliseconds(200), "answers that take longer are counted");
ABSL_FLAG(std::string, expect, "200", "STATUS or STATUS:BODY-PREFIX of a good answer");
ABSL_FLAG(int64_t, expect_bytes, -1, "how long a good answer's body is; -1 = as it comes");
ABSL_FLAG(std::string, expect_file, "", "a good answer's body is this file");
ABSL_FLAG(std::string, probe_header, "", "count answers by this header's value");
ABSL_FLAG(bool, json, false, "one JSON object at the end");
ABSL_FLAG(bool, histogram, false, "with --json: the latency histogram itself, too");
ABSL_FLAG(bool, progress, false,
          "a line a second on stderr; a terminal has a live line without it");
ABSL_FLAG(bool, quiet, false, "no live line");
ABSL_FLAG(bool, until_stdin_eof, false, "go on until stdin ends, instead of --duration");

namespace uc::load {
namespace {

absl::Status Wrong(absl::string_view text) { return absl::InvalidArgumentError(text); }

absl::StatusOr<std::vector<net::Address>> Addresses(const std::string& list,
                                                    absl::string_view suffix) {
  std::vector<net::Address> addresses;
  for (const absl::string_view text : absl::StrSplit(list, ',', absl::SkipEmpty())) {
    absl::StatusOr<net::Address> address = net::Address::Parse(absl::StrCat(text, suffix));
    if (!address.ok()) return address.status();
    addresses.push_back(*address);
  }
  return addresses;
}

absl::Status ReadExpected(Expected& expected) {
  const std::vector<std::string> parts =
      absl::StrSplit(absl::GetFlag(FLAGS_expect), absl::MaxSplits(':', 1));
  if (!absl::SimpleAtoi(parts[0], &expected.status)) {
    return Wrong("--expect: STATUS or STATUS:BODY-PREFIX, e.g. 200:Hello");
  }
  if (parts.size() == 2) expected.body = parts[1];
  if (const int64_t bytes = absl::GetFlag(FLAGS_expect_bytes); bytes >= 0) {
    expected.bytes = static_cast<uint64_t>(bytes);
  }
  if (const std::string path = absl::GetFlag(FLAGS_expect_file); !path.empty()) {
    std::ifstream file(path, std::ios::binary);
    if (!file) return Wrong(absl::StrCat("--expect-file: cannot read ", path));
    expected.body.assign(std::istreambuf_iterator<char>(file), {});
    expected.bytes = expected.body.size();
  }
  expected.header = absl::AsciiStrToLower(absl::GetFlag(FLAGS_probe_header));
  return absl::OkStatus();
}

absl::Status ReadRequest(ClientOptions& options) {
  options.method = absl::GetFlag(FLAGS_method);
  options.path = absl::GetFlag(FLAGS_path);
  for (const absl::string_view line :
       absl::StrSplit(absl::GetFlag(FLAGS_headers), '|', absl::SkipEmpty())) {
    if (!absl::StrContains(line, ':')) {
      return Wrong(absl::StrCat("--headers: '", line, "' is not NAME: VALUE"));
    }
    absl::StrAppend(&options.headers, line, "\r\n");
  }
  return absl::OkStatus();
}

absl::Status ReadLoop(ClientOptions& options) {
  const std::string mode = absl::GetFlag(FLAGS_mode);
  if (mode != "new" && mode != "keep_alive" && mode != "keep-alive") {
    return Wrong("--mode: expected new or keep_alive");
  }
  options.mode = mode == "new" ? Mode::kNew : Mode::kKeepAlive;
  const int connections = absl::GetFlag(FLAGS_connections);
  if (connections < 1 || connections > 1'000'000) {
    return Wrong("--connections is out of range: 1 to 1000000");
  }
  options.connections = static_cast<uint32_t>(connections);
  const int pipeline = absl::GetFlag(FLAGS_pipeline);
  if (pipeline < 1 || pipeline > 1024) return Wrong("--pipeline is out of range: 1 to 1024");
  if (pipeline > 1 && options.mode == Mode::kNew) {
    return Wrong("--pipeline wants --mode=keep_alive");
  }
  options.pipeline = static_cast<uint32_t>(pipeline);
  options.rate = absl::GetFlag(FLAGS_rate);
  if (options.rate < 0) return Wrong("--rate must not be negative");
  const std::string arrivals = absl::GetFlag(FLAGS_arrivals);
  if (arrivals != "even" && arrivals != "poisson") {
    return Wrong("--arrivals: expected even or poisson");
  }
  options.arrivals = arrivals == "even" ? Arrivals::kEven : Arrivals::kPoisson;
  if (absl::GetFlag(FLAGS_requests) > 0) {
    options.attempts_max = static_cast<uint64_t>(absl::GetFlag(FLAGS_requests));
  }
  options.think = absl::GetFlag(FLAGS_think);
  options.timeout = absl::GetFlag(FLAGS_timeout);
  if (options.timeout <= absl::ZeroDuration()) return Wrong("--timeout must be above 0");
  options.slow = absl::GetFlag(FLAGS_slow);
  return absl::OkStatus();
}

// Share `part` of `parts` of a whole, without losing a rest.
uint64_t Share(uint64_t whole, size_t part, size_t parts) {
  return whole / parts + (part < whole % parts ? 1 : 0);
}

std::vector<ClientOptions> Split(const ClientOptions& whole, size_t threads) {
  std::vector<ClientOptions> clients;
  for (size_t i = 0; i < threads; ++i) {
    ClientOptions client = whole;
    client.connections = static_cast<uint32_t>(Share(whole.connections, i, threads));
    client.rate = whole.rate / static_cast<double>(threads);
    if (whole.rate > 0) client.rate_begins = absl::Seconds(static_cast<double>(i) / whole.rate);
    client.seed = static_cast<uint64_t>(absl::GetFlag(FLAGS_seed)) + i;
    if (whole.attempts_max != UINT64_MAX) {
      client.attempts_max = Share(whole.attempts_max, i, threads);
    }
    clients.push_back(std::move(client));
  }
  return clients;
}

}  // namespace

absl::StatusOr<std::vector<int>> ParseCpus(absl::string_view text) {
  std::vector<int> cpus;
  for (const absl::string_view part : absl::StrSplit(text, ',', absl::SkipEmpty())) {
    const std::vector<absl::string_view> ends = absl::StrSplit(part, absl::MaxSplits('-', 1));
    int first = 0, last = 0;
    if (!absl::SimpleAtoi(ends.front(), &first) || !absl::SimpleAtoi(ends.back(), &last) ||
        first < 0 || last < first || last >= 1024) {
      return Wrong(absl::StrCat("--cpus: '", part, "' is no processor or range, e.g. 0,2-3"));
    }
    for (int cpu = first; cpu <= last; ++cpu) cpus.push_back(cpu);
  }
  return cpus;
}

absl::StatusOr<Options> OptionsFromFlags() {
  ClientOptions client;
  const auto targets = Addresses(absl::GetFlag(FLAGS_target), "");
  if (!targets.ok()) return targets.status();
  if (targets->empty()) return Wrong("--target is empty");
  const auto sources = Addresses(absl::GetFlag(FLAGS_source), ":0");
  if (!sources.ok()) return sources.status();
  client.targets = *targets;
  client.sources = *sources;
  for (const auto read : {ReadRequest, ReadLoop}) {
    if (absl::Status status = read(client); !status.ok()) return status;
  }
  if (absl::Status status = ReadExpected(client.expected); !status.ok()) return status;

  Options options;
  const absl::StatusOr<std::vector<int>> cpus = ParseCpus(absl::GetFlag(FLAGS_cpus));
  if (!cpus.ok()) return cpus.status();
  options.cpus = *cpus;
  const int threads = absl::GetFlag(FLAGS_threads);
  if (threads < 1 || static_cast<uint32_t>(threads) > client.connections ||
      static_cast<uint64_t>(threads) > client.attempts_max) {
    return Wrong("--threads is out of range: 1 to --connections (and --requests)");
  }
  options.clients = Split(client, static_cast<size_t>(threads));
  options.duration = absl::GetFlag(FLAGS_duration);
  if (options.duration <= absl::ZeroDuration()) {
    options.duration =
        client.attempts_max == UINT64_MAX ? absl::Seconds(10) : absl::InfiniteDuration();
  }
  options.rate = client.rate;
  if (absl::GetFlag(FLAGS_json)) options.output = Options::Output::kJson;
  if (absl::GetFlag(FLAGS_histogram)) options.buckets = Options::Buckets::kYes;
  if (absl::GetFlag(FLAGS_progress)) {
    options.progress = Options::Progress::kLines;
  } else if (absl::GetFlag(FLAGS_quiet) || isatty(STDERR_FILENO) != 1) {
    options.progress = Options::Progress::kNone;
  }
  if (absl::GetFlag(FLAGS_until_stdin_eof)) options.end = Options::End::kByStdin;
  return options;
}

}  // namespace uc::load
