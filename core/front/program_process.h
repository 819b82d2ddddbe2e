// ProgramProcess: the program behind a front: its way in, its start, when it can be asked, and its end.
//
//   kStarting ──listens, has said so──> kServing ──AskToLeave──> kLeaving ──exit──> kEnding ──nobody left──> kEnded
//       └── exit, or late ──> kEnding       └── exit, or Kill ──> kEnding
//
// What it started ends with it, whatever process group it is in (exec/offspring.h). Where the process that we started
// only runs the program (npm, sh), and another one listens, the program has left when both have.
//
// Its sockets are the ProgramSite's affair (program_site.h), where its libc can be asked. Else it inherits a listener
// (LISTEN_FDS), or binds one itself at the port that PORT names (own_listener.h): whichever it is seen to use.
#ifndef CORE_FRONT_PROGRAM_PROCESS_H_
#define CORE_FRONT_PROGRAM_PROCESS_H_

#include <sys/types.h>

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
#include "core/front/own_listener.h"
#include "core/front/program_site.h"
#include "core/link/message.h"
#include "core/scoreboard/layout.h"

namespace uc::front {

class ProgramProcess {
 public:
  enum class State { kStarting, kServing, kLeaving, kEnding, kEnded };
  // Where it runs.
  struct Place {
    uint32_t slot = 0;
    uint32_t generation = 0;
    ProgramSite::Place site;
  };
  struct Events {
    std::function<void()> ready;   // endpoint() may be connected to; again when it is another one
    std::function<void()> ending;  // endpoint() may not be connected to any more
    std::function<void()> ended;   // wait_status()
    std::function<uint32_t(const link::Claim&)> claim;  // ProgramSite::Events
    std::function<void()> more_listeners;               // ProgramSite::Events
  };

  // What the caller's worker has, once; both outlive it.
  struct Watches {
    const Fd& epoll;      // an epoll set; readable when OnReadable() has something to do
    const Fd& offspring;  // exec::WatchOffspring()
  };
  ProgramProcess(const exec::LaunchOptions& options, Place place, scoreboard::Report& report,
                 Watches watches, Events events);
  ~ProgramProcess();
  ProgramProcess(const ProgramProcess&) = delete;
  ProgramProcess& operator=(const ProgramProcess&) = delete;

  // Why it could not be started; then it is of no use.
  absl::Status Start(absl::Time now);
  // True: there is more; it is to be called again without waiting, after others had their turn.
  bool OnReadable();
  // As ProgramSite.
  void OnClaimed(const link::Claimed& claimed, Fd listener);
  void OnCoordinatorGone();
  // It has listen_timeout to begin serving; then it is ended. To be called now and then while AwaitsTime().
  void OnTime(absl::Time now);
  bool AwaitsTime() const { return state_ == State::kStarting || state_ == State::kEnding; }

  // By message or by signal, once. It has ended when State says so.
  void AskToLeave();
  // SIGKILL to all of it.
  void Kill();

  State state() const { return state_; }
  Endpoint endpoint() const { return preload() ? site_->endpoint() : *endpoint_; }  // once ready
  std::vector<Fd> TakeListeners() { return site_->TakeListeners(); }
  int wait_status() const { return wait_status_; }  // once it has ended
  // It ended by what it was asked to leave with, or with code 0 (a shell's: 128 and the signal) after that.
  bool left_as_asked() const;
  // It did not come to serve in time, and is being ended.
  bool late() const { return late_; }
  // Why it never served; empty: it has, or may yet.
  std::string Failure() const;

 private:
  absl::Status OpenDoors();
  absl::Status OpenInherited();
  absl::Status StartChild();
  exec::ListenDoor::Events DoorEvents();
  bool preload() const { return sockets_ == exec::SocketWay::kPreload; }
  void OnSiteListens(pid_t process);
  std::string Awaited() const;
  void SaysReady(absl::string_view how);
  void ReviewReady(absl::Time now);
  // Without the library: whether it listens, and where.
  void LookForListener();
  bool listens() const { return preload() ? site_.has_value() && site_->listens() : accepts_; }
  void OnOffspring();
  // Another process than the first one listens, and lives.
  bool ServerLives() const;
  void Ending();
  void Ended();
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
  const Watches watches_;
  std::optional<exec::ListenDoor> door_;
  std::optional<exec::NotifySocket> notify_;
  std::optional<exec::StartedProgram> started_;  // from Start() on
  std::optional<ProgramSite> site_;
  // Without the library:
  Fd inherited_;                    // with LISTEN_FDS: what the program inherits
  std::optional<OwnListener> own_;  // where it may listen itself
  std::optional<Endpoint>
      endpoint_;          // where it is connected to: the inherited one, until it has its own
  bool accepts_ = false;  // seen to, at endpoint_
  bool has_said_so_ = false;
  bool late_ = false;
  absl::Time late_at_;
  bool first_listens_ = false;  // the process that we started: it is no wrapper
  Fd server_;                   // a pidfd: another one that listens, the last
  pid_t server_pid_ = 0;
  bool killed_ = false;
  std::optional<int> first_ended_;                     // wait status of the process that we started
  absl::Time patient_until_ = absl::InfiniteFuture();  // with what it has started
  int wait_status_ = 0;
  int signal_ = 0;  // that it was asked to leave with
  bool asked_ = false;
};

}  // namespace uc::front

#endif  // CORE_FRONT_PROGRAM_PROCESS_H_
