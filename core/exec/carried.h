// Carried: what `start` was given for the program, and what our own processes (coordinator, log writer, launcher) only
// carry to it: its environment, the variable KEY under the name URING_CLUSTER_ENV_KEY, and the soft limit of open
// files that `start` had, in URING_CLUSTER_DESCRIPTORS.
//
// Under these names a variable means nothing to libc, to the dynamic linker or to us: the program's LD_PRELOAD, PATH or
// MALLOC_* change no process of ours, which may be root's. The environment survives each exec (of a worker, of an
// upgrade) and is closed to other users. Refused: argv, which everybody can read, and one variable with an encoded
// list, of which the kernel takes 128 KiB at most (execve(2)).
#ifndef CORE_EXEC_CARRIED_H_
#define CORE_EXEC_CARRIED_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace uc::exec {

// "KEY=VALUE" under the name by which it is carried.
std::string Carried(absl::string_view variable);
// "KEY=VALUE", of those that this process carries.
std::vector<std::string> CarriedEnvironment();
// All that this process carries, as it is carried: for one that it starts without the rest of its environment.
std::vector<std::string> CarriedAsItIs();
// The environment of this process without what it carries, and without what a coordinator tells itself at an upgrade.
std::vector<std::string> OwnEnvironment();
// In a process that becomes the app itself: what was carried is its environment from now on.
void TakeCarriedEnvironment();

void CarryDescriptorLimit(uint64_t soft_limit);
// 0: none is carried.
uint64_t CarriedDescriptorLimit();

}  // namespace uc::exec

#endif  // CORE_EXEC_CARRIED_H_
