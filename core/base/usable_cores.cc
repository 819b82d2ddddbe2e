#include "core/base/usable_cores.h"

#include <sched.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>
#include <sstream>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace uc {
namespace {

std::string ReadFile(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

int AffinityCount() {
  // More CPUs than fit into cpu_set_t make the call fail with EINVAL (sched_getaffinity(2)).
  for (int cpus = CPU_SETSIZE; cpus <= 1 << 16; cpus *= 2) {
    cpu_set_t* set = CPU_ALLOC(cpus);
    const size_t size = CPU_ALLOC_SIZE(cpus);
    const int result = sched_getaffinity(0, size, set);
    const int count = result == 0 ? CPU_COUNT_S(size, set) : 0;
    CPU_FREE(set);
    if (count > 0) return count;
  }
  return 1;
}

double Ratio(absl::string_view quota, absl::string_view period) {
  double quota_us = 0;
  double period_us = 0;
  if (!absl::SimpleAtod(absl::StripAsciiWhitespace(quota), &quota_us) || quota_us <= 0 ||
      !absl::SimpleAtod(absl::StripAsciiWhitespace(period), &period_us) || period_us <= 0) {
    return std::numeric_limits<double>::infinity();  // "max", "-1", or no such file
  }
  return quota_us / period_us;
}

// The smallest limit of a cgroup and all above it: a parent's quota binds its children.
template <typename LimitOf>
double SmallestUpwards(absl::string_view group, const LimitOf& limit_of) {
  double smallest = std::numeric_limits<double>::infinity();
  std::string path(group);
  for (;;) {
    smallest = std::min(smallest, limit_of(path == "/" ? "" : path));
    const size_t slash = path.rfind('/');
    if (slash == std::string::npos || path == "/" || path.empty()) return smallest;
    path.resize(slash);
  }
}

double CgroupCores(const std::string& root) {
  const std::string mount = root + "/sys/fs/cgroup";
  const auto v2 = [](const std::string& base) {
    return [base](const std::string& group) {
      const std::vector<std::string> words =
          absl::StrSplit(ReadFile(base + group + "/cpu.max"), ' ');
      return Ratio(words[0], words.size() > 1 ? words[1] : "");
    };
  };
  double cores = std::numeric_limits<double>::infinity();
  for (absl::string_view line : absl::StrSplit(ReadFile(root + "/proc/self/cgroup"), '\n')) {
    // "0::/group" (v2) or "5:cpu,cpuacct:/group" (v1), cgroups(7).
    const std::vector<absl::string_view> parts = absl::StrSplit(line, absl::MaxSplits(':', 2));
    if (parts.size() != 3) continue;
    if (parts[1].empty()) {
      cores = std::min(cores, SmallestUpwards(parts[2], v2(mount)));
      cores = std::min(cores, SmallestUpwards(parts[2], v2(mount + "/unified")));
      continue;
    }
    const std::vector<absl::string_view> controllers = absl::StrSplit(parts[1], ',');
    if (std::find(controllers.begin(), controllers.end(), "cpu") == controllers.end()) continue;
    for (const std::string& folder : {std::string("cpu"), std::string(parts[1])}) {
      cores = std::min(cores, SmallestUpwards(parts[2], [&](const std::string& group) {
                         const std::string base = absl::StrCat(mount, "/", folder, group);
                         return Ratio(ReadFile(base + "/cpu.cfs_quota_us"),
                                      ReadFile(base + "/cpu.cfs_period_us"));
                       }));
    }
  }
  return cores;
}

}  // namespace

int UsableCores(const std::string& root) {
  const double quota = std::ceil(CgroupCores(root));
  const int affinity = AffinityCount();
  return quota < affinity ? std::max(1, static_cast<int>(quota)) : affinity;
}

}  // namespace uc
