// Unprivileged: while it lives, file permissions hold for this thread, also if the superuser runs the test.
//
// By giving up two capabilities for a while, not by becoming another user: a sandbox's user namespace may
// know of no other user.
#ifndef TESTS_APP_UNPRIVILEGED_H_
#define TESTS_APP_UNPRIVILEGED_H_

#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace uc::app {

class Unprivileged {
 public:
  Unprivileged() {
    syscall(SYS_capget, &header_, before_);
    __user_cap_data_struct less[2] = {before_[0], before_[1]};
    less[0].effective &= ~(1u << CAP_DAC_OVERRIDE | 1u << CAP_DAC_READ_SEARCH);
    syscall(SYS_capset, &header_, less);
  }
  ~Unprivileged() { syscall(SYS_capset, &header_, before_); }
  Unprivileged(const Unprivileged&) = delete;
  Unprivileged& operator=(const Unprivileged&) = delete;

 private:
  __user_cap_header_struct header_ = {_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct before_[2] = {};
};

}  // namespace uc::app

#endif  // TESTS_APP_UNPRIVILEGED_H_
