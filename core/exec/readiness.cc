#include "core/exec/readiness.h"

#include "absl/strings/str_cat.h"

namespace uc::exec {
namespace {

// Of --listen-timeout: late enough to be fair, and before the coordinator kills us without a word.
constexpr double kRefuseAt = 0.9;

}  // namespace

absl::string_view Readiness::Awaited() const {
  return when_ == ReadyWhen::kSaysSo ? "said that it is ready" : "listened";
}

absl::Time Readiness::due() const {
  if (reached_ || !refusal_.empty()) return absl::InfiniteFuture();
  return started_at_ + timeout_ * kRefuseAt;
}

const std::string& Readiness::Refuse(SocketWay way) {
  refusal_ = absl::StrCat(
      "the program has not ", Awaited(),
      " within --listen-timeout=", absl::FormatDuration(timeout_),
      when_ == ReadyWhen::kSaysSo
          ? " (--wait-ready awaits process.send('ready') or READY=1 at NOTIFY_SOCKET)"
      : way == SocketWay::kPreload
          ? " through libc (a program that bypasses it has to take LISTEN_FDS: "
            "--sockets=listen-fds; one that never listens: --ready=start)"
          : " on what it inherits as LISTEN_FDS (READY=1 at NOTIFY_SOCKET would do, too)");
  return refusal_;
}

}  // namespace uc::exec
