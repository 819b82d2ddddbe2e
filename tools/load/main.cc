// uring-cluster-load: HTTP load that accounts for every attempt. See client.h; the flags are below.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <string>
#include <utility>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "core/base/clock.h"
#include "core/base/descriptor_limit.h"
#include "tools/load/client.h"

ABSL_FLAG(std::string, target, "127.0.0.1:8080", "ADDR:PORT, several by comma");
ABSL_FLAG(std::string, source, "", "addresses to come from, by comma, in turn");
ABSL_FLAG(std::string, path, "/", "what is asked for");
ABSL_FLAG(std::string, mode, "new", "new: a connection per request; keep_alive");
ABSL_FLAG(int, connections, 10, "at one time");
ABSL_FLAG(double, rate, 0,
          "requests a second over all connections; 0 = as fast as they are answered");
ABSL_FLAG(absl::Duration, think, absl::ZeroDuration(),
          "between an answer and the next request of a connection");
ABSL_FLAG(absl::Duration, duration, absl::Seconds(10), "how long");
ABSL_FLAG(int64_t, requests, 0, "end after so many attempts; 0 = by time");
ABSL_FLAG(absl::Duration, timeout, absl::Seconds(5), "for one attempt");
ABSL_FLAG(absl::Duration, slow, absl::Milliseconds(200), "answers that take longer are counted");
ABSL_FLAG(std::string, expect, "200", "STATUS or STATUS:BODY-PREFIX of a good answer");
ABSL_FLAG(std::string, probe_header, "", "count answers by this header's value");
ABSL_FLAG(bool, json, false, "one JSON object at the end");
ABSL_FLAG(bool, progress, false, "a line a second on stderr");
ABSL_FLAG(bool, until_stdin_eof, false, "go on until stdin ends, instead of --duration");

namespace uc::load {
namespace {

constexpr int kExitLost = 1;
constexpr int kExitOperator = 2;

int Refuse(absl::string_view text) {
  std::fprintf(stderr, "error: %s\n", std::string(text).c_str());
  return kExitOperator;
}

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

absl::StatusOr<ClientOptions> Options() {
  ClientOptions options;
  const auto targets = Addresses(absl::GetFlag(FLAGS_target), "");
  if (!targets.ok()) return targets.status();
  const auto sources = Addresses(absl::GetFlag(FLAGS_source), ":0");
  if (!sources.ok()) return sources.status();
  options.targets = *targets;
  options.sources = *sources;
  if (options.targets.empty()) return absl::InvalidArgumentError("--target is empty");
  const std::string mode = absl::GetFlag(FLAGS_mode);
  if (mode != "new" && mode != "keep_alive") {
    return absl::InvalidArgumentError("--mode: expected new or keep_alive");
  }
  options.mode = mode == "new" ? Mode::kNew : Mode::kKeepAlive;
  const int connections = absl::GetFlag(FLAGS_connections);
  if (connections < 1 || connections > 1'000'000) {
    return absl::InvalidArgumentError("--connections is out of range: 1 to 1000000");
  }
  options.connections = static_cast<uint32_t>(connections);
  options.path = absl::GetFlag(FLAGS_path);
  options.rate = absl::GetFlag(FLAGS_rate);
  if (options.rate < 0) return absl::InvalidArgumentError("--rate must not be negative");
  if (absl::GetFlag(FLAGS_requests) > 0) {
    options.attempts_max = static_cast<uint64_t>(absl::GetFlag(FLAGS_requests));
  }
  options.think = absl::GetFlag(FLAGS_think);
  options.timeout = absl::GetFlag(FLAGS_timeout);
  options.slow = absl::GetFlag(FLAGS_slow);
  const std::vector<std::string> expected =
      absl::StrSplit(absl::GetFlag(FLAGS_expect), absl::MaxSplits(':', 1));
  if (!absl::SimpleAtoi(expected[0], &options.expected_status)) {
    return absl::InvalidArgumentError("--expect: STATUS or STATUS:BODY-PREFIX, e.g. 200:Hello");
  }
  if (expected.size() == 2) options.expected_body = expected[1];
  options.probe_header = absl::AsciiStrToLower(absl::GetFlag(FLAGS_probe_header));
  return options;
}

bool StdinEnded() {
  pollfd watch = {STDIN_FILENO, POLLIN, 0};
  char bytes[256];
  return poll(&watch, 1, 0) == 1 && read(STDIN_FILENO, bytes, sizeof(bytes)) <= 0;
}

int Main() {
  const absl::StatusOr<ClientOptions> options = Options();
  if (!options.ok()) return Refuse(options.status().message());
  RaiseDescriptorLimit();
  signal(SIGPIPE, SIG_IGN);
  Client client(*options);
  const absl::Time until = MonotonicNow() + absl::GetFlag(FLAGS_duration);
  const bool by_stdin = absl::GetFlag(FLAGS_until_stdin_eof);
  const bool progress = absl::GetFlag(FLAGS_progress);
  absl::Time next_line = MonotonicNow() + absl::Seconds(1);
  const auto enough = [&] {
    const absl::Time now = MonotonicNow();
    if (progress && now >= next_line) {
      next_line += absl::Seconds(1);
      std::fprintf(stderr, "%llu attempts, %llu lost\n",
                   static_cast<unsigned long long>(client.tally().attempts()),
                   static_cast<unsigned long long>(client.tally().lost()));
    }
    if (client.tally().attempts() >= options->attempts_max) return true;
    return by_stdin ? StdinEnded() : now >= until;
  };
  client.Run(enough, [] {
    std::puts("{\"running\": true}");
    std::fflush(stdout);
  });
  std::fputs(absl::GetFlag(FLAGS_json) ? (client.tally().ToJson(client.seconds()) + "\n").c_str()
                                       : client.tally().ToText(client.seconds()).c_str(),
             stdout);
  return client.tally().lost() == 0 ? 0 : kExitLost;
}

}  // namespace
}  // namespace uc::load

int main(int argc, char** argv) {
  absl::ParseCommandLine(argc, argv);
  return uc::load::Main();
}
