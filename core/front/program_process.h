// ProgramProcess: the program behind a front: its way in, its start, when it can be asked, and its end.
//
//   kStarting ──listens, has said so──> kServing ──AskToLeave──> kLeaving ──exit──> kEnded
//       └── exit, or late ──> kEnded        └──────── exit ──────────────────────────┘
//
// The site is where clients connect, and the program's listener for it is private (private_listener.h). Which of its
// addresses that is: one with a port of --listen; else the first that is no debugger's. All others are the program's own
// affair; where all workers' programs bind them alike they are shared by SO_REUSEPORT.
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
#include "core/front/private_listener.h"
#include "core/net/address.h"
#include "core/scoreboard/layout.h"

namespace uc::front {

class ProgramProcess {
 public:
  enum class State { kStarting, kServing, kLeaving, kEnded };
  // Where it runs.
  struct Place {
    uint32_t slot = 0;
    uint32_t generation = 0;
    std::vector<net::Address> site;  // of --listen
  };
  struct Events {
    std::function<void()> ready;  // endpoint() may be connected to; again when it is another one
    std::function<void()> ended;  // wait_status()
  };

  // `epoll`: an epoll set of the caller's, which outlives it; readable when OnReadable() has something to do.
  ProgramProcess(const exec::LaunchOptions& options, Place place, scoreboard::Report& report,
                 const Fd& epoll, Events events);
  ~ProgramProcess();
  ProgramProcess(const ProgramProcess&) = delete;
  ProgramProcess& operator=(const ProgramProcess&) = delete;

  // Why it could not be started; then it is of no use.
  absl::Status Start(absl::Time now);
  void OnReadable();
  // It has listen_timeout to begin serving; then it is ended. To be called now and then until it serves.
  void OnTime(absl::Time now);

  // By message or by signal, once. It has ended when State says so.
  void AskToLeave();

  State state() const { return state_; }
  const Endpoint& endpoint() const { return *endpoint_; }  // once it is ready
  int wait_status() const { return wait_status_; }         // once it has ended
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
  bool IsNamed(const net::Address& address) const;  // its port is one of --listen
  bool IsSite(const net::Address& wished) const;
  void MayBind(exec::AskerId id, const exec::Wish& wish);
  void MayListen(exec::AskerId id, const exec::Wish& wish);
  void GiveSite(exec::AskerId id, const net::Address& address);
  void ShareOther(exec::AskerId id, const exec::Wish& wish);
  void OnSiteListens();
  void SaysReady(absl::string_view how);
  void ReviewReady();
  void Reap();
  // What epoll looks at: those of the door come and go.
  void WatchDoor();
  void Watch(int fd);

  const exec::LaunchOptions& options_;
  const Place place_;
  scoreboard::Report& report_;
  const Events events_;
  State state_ = State::kStarting;
  exec::SocketWay sockets_ = exec::SocketWay::kPreload;  // not kAuto
  exec::Program program_;
  const Fd& epoll_;
  std::optional<exec::ListenDoor> door_;
  std::optional<exec::NotifySocket> notify_;
  std::optional<exec::StartedProgram> started_;  // from Start() on
  std::optional<PrivateListener> site_;
  std::optional<PrivateListener> former_;  // taken for it until another one came
  Fd inherited_;                           // with LISTEN_FDS: what the program inherits
  std::optional<Endpoint> endpoint_;
  std::vector<net::Address> seen_;  // elsewhere than at the site, for the failure's text
  bool listens_ = false;
  bool has_said_so_ = false;
  bool late_ = false;
  absl::Time late_at_;
  int wait_status_ = 0;
  int signal_ = 0;  // that it was asked to leave with
  bool left_as_asked_ = false;
};

}  // namespace uc::front

#endif  // CORE_FRONT_PROGRAM_PROCESS_H_
