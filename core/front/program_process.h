// ProgramProcess: the program behind a front: its way in, its start, when it can be asked, and its end.
//
//   kStarting ──listens, has said so──> kServing ──AskToLeave──> kLeaving ──exit──> kEnded
//       └── exit, or late ──> kEnded        └──────── exit ──────────────────────────┘
//
// The site is where clients connect, and the program's listener for it is private (private_listener.h). Which of its
// addresses that is: site_choice.h. Without --listen clients come to that very address: the coordinator is asked for it
// before the program has it, so a bind that fails there fails in the program. All others are the program's own affair;
// where all workers' programs bind them alike they are shared by SO_REUSEPORT.
#ifndef CORE_FRONT_PROGRAM_PROCESS_H_
#define CORE_FRONT_PROGRAM_PROCESS_H_

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
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
#include "core/front/side_port.h"
#include "core/front/site_choice.h"
#include "core/link/message.h"
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
    SiteChoice::Where where = SiteChoice::Where::kListen;
    std::vector<SiteListener> listeners;  // of the slot; with kProgram there may be none yet
    std::vector<net::Address> known;      // where the cluster's other slots listen, with kProgram
  };
  struct Events {
    std::function<void()> ready;  // endpoint() may be connected to; again when it is another one
    std::function<void()> ended;  // wait_status()
    // With kProgram: asks for the address; OnClaimed() follows, with the claim's id that this returns. 0: nobody is
    // there to be asked.
    std::function<uint32_t(const link::Claim&)> claim = {};
    // TakeListeners() has some, and the program serves already.
    std::function<void()> more_listeners = {};
  };

  // `epoll`: an epoll set of the caller's, which outlives it; readable when OnReadable() has something to do.
  ProgramProcess(const exec::LaunchOptions& options, Place place, scoreboard::Report& report,
                 const Fd& epoll, Events events);
  ~ProgramProcess();
  ProgramProcess(const ProgramProcess&) = delete;
  ProgramProcess& operator=(const ProgramProcess&) = delete;

  // Why it could not be started; then it is of no use.
  absl::Status Start(absl::Time now);
  // A bounded amount of work. False: there is more.
  bool OnReadable();
  // `listener`: bound; not valid where claimed.error says why.
  void OnClaimed(const link::Claimed& claimed, Fd listener);
  // Nobody answers what was asked: it is as if there were no cluster.
  void OnCoordinatorGone();
  // It has listen_timeout to begin serving; then it is ended. To be called now and then until it serves.
  void OnTime(absl::Time now);

  // By message or by signal, once. It has ended when State says so.
  void AskToLeave();

  State state() const { return state_; }
  const Endpoint& endpoint() const { return *endpoint_; }  // once it is ready
  // The listeners of its site that the slot had not: bound, once each.
  std::vector<Fd> TakeListeners();
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
  // A process that waits for its answer.
  struct Asked {
    exec::AskerId id = 0;
    WishedSite wish;
  };
  std::vector<uint16_t> NamedPorts() const;
  void MayBind(exec::AskerId id, const exec::Wish& wish);
  void MayListen(exec::AskerId id, const exec::Wish& wish);
  // It is, or may be, the site.
  void WantSite(const Asked& asked);
  void Refuse(const Asked& asked, int error, absl::string_view why);
  // `listener`: of the address that it has got; not valid where the slot has one.
  void GiveSite(const Asked& asked, Fd listener);
  void ShareOther(exec::AskerId id, const exec::Wish& wish);
  // What was taken for the site is not any more.
  void Revoke();
  void OnSiteListens();
  void OnSiteConnects(const net::Address& address);
  void SaysReady(absl::string_view how);
  void ReviewReady(absl::Time now);
  void Reap();
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
  std::optional<PrivateListener> site_;
  SiteChoice choice_;
  absl::Time settles_at_;                           // the choice, once something listens
  std::map<uint32_t, Asked> claims_;                // by the claim's id
  std::map<std::string, uint32_t> ordinals_;        // of the wishes for any port
  std::vector<std::pair<SiteListener, Fd>> fresh_;  // of TakeListeners()
  std::vector<SidePort> side_ports_;
  bool moved_ = false;   // another site while it serves
  std::string refusal_;  // why it could not have an address, for the failure's text
  Fd inherited_;         // with LISTEN_FDS: what the program inherits
  std::optional<Endpoint> endpoint_;
  std::vector<net::Address> seen_;  // elsewhere than at the site, bound, for the failure's text
  std::vector<net::Address> told_;  // the same, of those that listen: the log has them
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
