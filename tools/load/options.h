// What the command line asks for, checked. The flags themselves are in options.cc.
#ifndef TOOLS_LOAD_OPTIONS_H_
#define TOOLS_LOAD_OPTIONS_H_

#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "tools/load/client.h"

namespace uc::load {

struct Options {
  // One for each thread: connections, rate and attempts are split among them.
  std::vector<ClientOptions> clients;
  std::vector<int> cpus;  // thread i runs on cpus[i % size]; empty: anywhere
  absl::Duration duration;
  double rate = 0;
  enum class Output { kText, kJson } output = Output::kText;
  enum class Buckets { kNo, kYes } buckets = Buckets::kNo;
  enum class Progress { kLive, kLines, kNone } progress = Progress::kLive;
  enum class End { kByTime, kByStdin } end = End::kByTime;
};

// InvalidArgument says which flag, and what it wants.
absl::StatusOr<Options> OptionsFromFlags();

// "0,2-4" as {0, 2, 3, 4}.
absl::StatusOr<std::vector<int>> ParseCpus(absl::string_view text);

}  // namespace uc::load

#endif  // TOOLS_LOAD_OPTIONS_H_
