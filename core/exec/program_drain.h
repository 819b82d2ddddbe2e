// ProgramDrain: when is a program that gets no new connections asked to leave? When its requests in flight are answered
// and its idle connections have had their grace, or when half of the time is over, whoever is being served. PURE.
//
// How it is asked, and what ends it if it stays, is not known here.
#ifndef CORE_EXEC_PROGRAM_DRAIN_H_
#define CORE_EXEC_PROGRAM_DRAIN_H_

#include <optional>

#include "absl/time/time.h"
#include "core/exec/listen_door.h"
#include "core/link/message.h"

namespace uc::exec {

class ProgramDrain {
 public:
  enum class State {
    kNone,   // it serves, or is about to
    kWaits,  // for its clients to be served
    kAsked,  // to leave
  };
  //   kNone --Begin()--> kWaits --Asked()--> kAsked

  State state() const { return state_; }
  bool begun() const { return state_ != State::kNone; }

  // False: it drains already. A prompt drain ends the grace of idle connections even then.
  bool Begin(link::DrainKind kind, absl::Duration within, absl::Time now);
  // Until when to look at its connections again; InfiniteFuture: there is nothing to wait for.
  absl::Time due(absl::Time now) const;
  // It waits no longer. `open`: its connections; nullopt: they are not known.
  bool Over(absl::Time now, const std::optional<ListenDoor::Tally>& open) const;
  void Asked() { state_ = State::kAsked; }

 private:
  State state_ = State::kNone;
  absl::Time quiet_until_ = absl::InfiniteFuture();  // then it is asked whoever is being served
  absl::Time idle_until_ = absl::InfinitePast();     // then idle connections end with it
};

}  // namespace uc::exec

#endif  // CORE_EXEC_PROGRAM_DRAIN_H_
