// Readiness: has the program become ready, and until when may it take to? PURE.
//
//   kListens  its first listen() or READY=1; without the preload library also that it waits at what it has inherited
//   kSaysSo   process.send('ready') or READY=1
//   kStarted  at once
//
// Who notices it is the Launcher's affair. Once too late, refused for good, though it may become ready yet.
#ifndef CORE_EXEC_READINESS_H_
#define CORE_EXEC_READINESS_H_

#include <string>
#include <utility>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "core/exec/launch_options.h"

namespace uc::exec {

class Readiness {
 public:
  // `timeout`: of --listen-timeout, when the coordinator's patience ends.
  Readiness(ReadyWhen when, absl::Duration timeout, absl::Time started_at)
      : when_(when), timeout_(timeout), started_at_(started_at) {}

  bool reached() const { return reached_; }
  // False: it was ready already.
  bool Reach() { return !std::exchange(reached_, true); }

  // What makes it ready, as in "it has not ...".
  absl::string_view Awaited() const;
  // When it is too late; InfiniteFuture: it is ready, or refused already.
  absl::Time due() const;
  // It is too late. `way`: not kAuto. Says why.
  const std::string& Refuse(SocketWay way);
  // Why it was refused; empty: it was not.
  const std::string& refusal() const { return refusal_; }

 private:
  const ReadyWhen when_;
  const absl::Duration timeout_;
  const absl::Time started_at_;
  bool reached_ = false;
  std::string refusal_;
};

}  // namespace uc::exec

#endif  // CORE_EXEC_READINESS_H_
