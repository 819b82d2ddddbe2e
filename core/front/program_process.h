// ProgramProcess: the program behind a front: its way in, its start, when it can be asked, and its end.
//
//   kStarting ──listens, has said so──> kServing ──AskToLeave──> kLeaving ──exit──> kEnded
//       └── exit, or late ──> kEnded        └──────── exit ──────────────────────────┘
//
// Its sockets are the ProgramSite's affair (program_site.h), unless it inherits its listener (LISTEN_FDS).
#ifndef CORE_FRONT_PROGRAM_PROCESS_H_
#define CORE_FRONT_PROGRAM_PROCESS_H_

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "core/base/fd.h"
#include "core/exec/launch_options.h"
#include "core/exec/listen_door.h"
#include "core/exec/notify_socket.h"
#include "core/exec/program.h"
#include "core/exec/started_program.h"
#include "core/front/endpoint.h"
#include "core/front/program_site.h"
#include "core/link/message.h"
#include "core/scoreboard/layout.h"

namespace uc::front {

class ProgramProcess {
 public:
  enum class State { kStarting, kServing, kLeaving, kEnded };
  // Where it runs.
  struct Place {
    uint32_t slot = 0;
    uint32_t generation = 0;
    ProgramSite::Place site;
  };
  struct Events {
    std::function<void()> ready;  // endpoint() may be connected to; again when it is another one
    std::function<void()> ended;  // wait_status()
    std::function<uint32_t(const link::Claim&)> claim;  // ProgramSite::Events
    std::function<void()> more_listeners;               // ProgramSite::Events
  };

  // `epoll`: an epoll set of the caller's, which outlives it; readable when OnReadable() has something to do.
  ProgramProcess(const exec::LaunchOptions& options, Place place, scoreboard::Report& report,
                 const Fd& epoll, Events events);
  ~ProgramProcess();
  ProgramProcess(const ProgramProcess&) = delete;
  ProgramProcess& operator=(const ProgramProcess&) = delete;

  // Why it could not be started; then it is of no use.
  absl::Status Start(absl::Time now);
  // True: there is more.
  bool OnReadable();
  // As ProgramSite.
  void OnClaimed(const link::Claimed& claimed, Fd listener);
  void OnCoordinatorGone();
  // It has listen_timeout to begin serving; then it is ended. To be called now and then until it serves.
  void OnTime(absl::Time now);

  // By message or by signal, once. It has ended when State says so.
  void AskToLeave();

  State state() const { return state_; }
  Endpoint endpoint() const { return preload() ? site_->endpoint() : *endpoint_; }  // once ready
  std::vector<Fd> TakeListeners() { return site_->TakeListeners(); }
  int wait_status() const { return wait_status_; }  // once it has ended
  // It ended by what it was asked to leave with, or with code 0 after that.
  bool left_as_asked() const;
  // It did not come to serve in time, and is being ended.
  bool late() const { return late_; }
  // Why it never served; empty: it has, or may yet.
  std::string Failure() const;

 private:
  absl::Status OpenDoors();
  absl::Status StartChild();
  exec::ListenDoor::Events DoorEvents();
  bool preload() const { return sockets_ == exec::SocketWay::kPreload; }
  void OnSiteListens();
  void SaysReady(absl::string_view how);
  void ReviewReady(absl::Time now);
  void Reap();
  bool listens() const { return preload() ? site_.has_value() && site_->listens() : accepts_; }
  // What epoll looks at: those of the door come and go.
  void WatchDoor();
  void Watch(int fd);

  const exec::LaunchOptions& options_;
  Place place_;
  scoreboard::Report& report_;
  const Events events_;
  State state_ = State::kStarting;
  exec::SocketWay sockets_ = exec::SocketWay::kPreload;  // not kAuto
  exec::Program program_;
  const Fd& epoll_;
  std::optional<exec::ListenDoor> door_;
  std::optional<exec::NotifySocket> notify_;
  std::optional<exec::StartedProgram> started_;  // from Start() on
  std::optional<ProgramSite> site_;
  Fd inherited_;                      // with LISTEN_FDS: what the program inherits
  std::optional<Endpoint> endpoint_;  // with LISTEN_FDS
  bool accepts_ = false;              // with LISTEN_FDS: seen to
  bool has_said_so_ = false;
  bool late_ = false;
  absl::Time late_at_;
  int wait_status_ = 0;
  int signal_ = 0;  // that it was asked to leave with
  bool left_as_asked_ = false;
};

}  // namespace uc::front

#endif  // CORE_FRONT_PROGRAM_PROCESS_H_
