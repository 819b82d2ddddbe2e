// What a test may do, and a child that may do less.
#ifndef TESTS_NET_CAPABILITIES_H_
#define TESTS_NET_CAPABILITIES_H_

#include <fcntl.h>
#include <linux/capability.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "core/base/fd.h"

namespace uc::net {

inline bool Has(int capability) {
  __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct sets[2] = {};
  syscall(SYS_capget, &header, sets);
  return (sets[CAP_TO_INDEX(capability)].effective & CAP_TO_MASK(capability)) != 0;
}

inline bool KeepOnly(const std::vector<int>& capabilities) {
  __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct sets[2] = {};
  for (const int capability : capabilities) {
    sets[CAP_TO_INDEX(capability)].effective |= CAP_TO_MASK(capability);
    sets[CAP_TO_INDEX(capability)].permitted |= CAP_TO_MASK(capability);
  }
  return syscall(SYS_capset, &header, sets) == 0;
}

// What `say` says in a child that holds these capabilities and no others. It stays user 0: a sandbox may know of
// no other one.
template <typename Say>
std::string SaidWith(const std::vector<int>& capabilities, const Say& say) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return "no pipe";
  const Fd reader(ends[0]);
  Fd writer(ends[1]);
  const pid_t child = fork();
  if (child == 0) {
    if (!KeepOnly(capabilities)) _exit(1);
    const std::string text = say();
    _exit(write(writer.get(), text.data(), text.size()) < 0);
  }
  writer.Reset();
  char text[4096];
  const ssize_t size = read(reader.get(), text, sizeof(text));
  waitpid(child, nullptr, 0);
  return size > 0 ? std::string(text, static_cast<size_t>(size)) : "nothing";
}

}  // namespace uc::net

#endif  // TESTS_NET_CAPABILITIES_H_
