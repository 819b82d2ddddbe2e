// ProgramMark: by what a program's environment says whose program it is. Written where it is started (core/exec), and read
// by a coordinator that looks for what a dead worker's program has left behind.
#ifndef CORE_LINK_PROGRAM_MARK_H_
#define CORE_LINK_PROGRAM_MARK_H_

#include <sys/types.h>

#include <string>

#include "absl/strings/str_cat.h"

namespace uc::link {

inline constexpr char kNameVariable[] = "URING_CLUSTER_NAME";
inline constexpr char kSlotVariable[] = "URING_CLUSTER_SLOT";
inline constexpr char kGenerationVariable[] = "URING_CLUSTER_GENERATION";
inline constexpr char kNotifyVariable[] = "NOTIFY_SOCKET";

// What the value of kNotifyVariable begins with for a program of this worker.
inline std::string NotifyNameOf(pid_t worker) {
  return absl::StrCat("@uring-cluster-notify-", worker, "-");
}

}  // namespace uc::link

#endif  // CORE_LINK_PROGRAM_MARK_H_
