#include "core/exec/program_end.h"

#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "absl/strings/str_cat.h"

namespace uc::exec {

std::string EndText(int status) {
  if (WIFEXITED(status)) return absl::StrCat("exited with code ", WEXITSTATUS(status));
  const char* const name = sigabbrev_np(WTERMSIG(status));
  return name != nullptr ? absl::StrCat("killed by SIG", name)
                         : absl::StrCat("killed by signal ", WTERMSIG(status));
}

int EndLike(int status) {
  if (WIFEXITED(status)) return WEXITSTATUS(status);
  const rlimit no_core = {0, 0};  // it has written its own, if any
  setrlimit(RLIMIT_CORE, &no_core);
  const int number = WTERMSIG(status);
  signal(number, SIG_DFL);
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, number);
  raise(number);
  sigprocmask(SIG_UNBLOCK, &set, nullptr);
  return 128 + number;
}

}  // namespace uc::exec
