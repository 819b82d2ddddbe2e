// Frame: one picture of all clusters, from two looks at them. PURE.
#ifndef TOOLS_MONIT_FRAME_H_
#define TOOLS_MONIT_FRAME_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "tools/cluster_view.h"

namespace uc::tools {

// What /proc says of one process.
struct ProcessLoad {
  absl::Duration cpu;    // ever used
  int64_t resident = 0;  // bytes
};

struct Look {
  absl::Time at;
  std::vector<ClusterView> clusters;
  std::map<int, ProcessLoad> processes;  // by pid
};

// Rates are between `before` and `now`. At most `lines` lines; the last one says what was left out.
std::string Frame(const Look& before, const Look& now, size_t lines);
// The same for programs.
std::string FrameJson(const Look& before, const Look& now);

}  // namespace uc::tools

#endif  // TOOLS_MONIT_FRAME_H_
