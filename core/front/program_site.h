// ProgramSite: the listeners of the program behind a worker: which of them is the site (site_choice.h), what the program
// gets in its place, and where clients connect to it. Asked by the preload library through the ListenDoor.
//
// The site gets a private listener. Without --listen its address is claimed at the coordinator before the program has
// it, so that a bind that fails there fails in the program; the slot's listener comes with the answer, and the worker
// takes it (TakeListeners) when the program serves. What the program listens on besides is its own affair; where all
// workers' programs bind it alike they share it by SO_REUSEPORT.
#ifndef CORE_FRONT_PROGRAM_SITE_H_
#define CORE_FRONT_PROGRAM_SITE_H_

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "core/base/fd.h"
#include "core/exec/launch_options.h"
#include "core/exec/listen_door.h"
#include "core/front/endpoint.h"
#include "core/front/private_listener.h"
#include "core/front/side_port.h"
#include "core/front/site_choice.h"
#include "core/link/message.h"
#include "core/net/address.h"

namespace uc::front {

class ProgramSite {
 public:
  struct Place {
    SiteChoice::Where where = SiteChoice::Where::kListen;
    std::vector<SiteListener> listeners;  // of the slot; with kProgram there may be none yet
    std::vector<net::Address> known;      // where the cluster's other slots listen, with kProgram
  };
  struct Events {
    // With kProgram: asks for the address; OnClaimed() follows, with the claim's id that this returns. 0: nobody is
    // there to be asked.
    std::function<uint32_t(const link::Claim&)> claim = {};
    // TakeListeners() has some though the program serves already.
    std::function<void()> more_listeners = {};
    // To be watched: OnReadable() when it is readable.
    std::function<void(int)> watch = {};
  };

  // `door` outlives it.
  ProgramSite(const exec::LaunchOptions& options, Place place, exec::ListenDoor& door,
              Events events);
  ProgramSite(const ProgramSite&) = delete;
  ProgramSite& operator=(const ProgramSite&) = delete;

  // --- What the program says (ListenDoor::Events) ---
  void MayBind(exec::AskerId id, const exec::Wish& wish);
  void MayListen(exec::AskerId id, const exec::Wish& wish);
  enum class Listening {
    kAsBefore,
    kBegun,
    kElsewhere,  // it serves already, and endpoint() is another one from now on
  };
  Listening OnListens(absl::Time now);
  void OnConnects(const net::Address& address);

  // --- What the coordinator says ---
  // `listener`: bound; not valid where claimed.error says why.
  void OnClaimed(const link::Claimed& claimed, Fd listener);
  // Nobody answers what was asked: it is as if there were no cluster.
  void OnCoordinatorGone();

  // False: `fd` is none that was to be watched.
  bool OnReadable(int fd);

  bool listens() const { return listens_; }
  // No better listener is to be expected.
  bool certain(absl::Time now) const { return choice_.certain() || now >= settles_at_; }
  // The program serves: only a named port is better than the site.
  void Settle() { settled_ = true, choice_.Settle(); }
  // The listeners of the site that the slot had not: bound, once each.
  std::vector<Fd> TakeListeners();
  Endpoint endpoint() const { return site_->endpoint(); }  // where listens()
  // The port that the program's environment names; nullopt: none of ours.
  std::optional<uint16_t> port() const;
  // What the text of a failure says of its sockets.
  const std::vector<net::Address>& elsewhere() const { return seen_; }
  const std::string& refusal() const { return refusal_; }

 private:
  // A process that waits for its answer.
  struct Asked {
    exec::AskerId id = 0;
    WishedSite wish;
  };
  std::vector<uint16_t> NamedPorts() const;
  // It is, or may be, the site.
  void Want(const Asked& asked);
  void Refuse(const Asked& asked, int error, absl::string_view why);
  // `listener`: of the address that it has got; not valid where the slot has one.
  void Give(const Asked& asked, Fd listener);
  void ShareOther(exec::AskerId id, const exec::Wish& wish);
  bool IsCovered(const WishedSite& wish) const;
  // What was taken for the site is not any more.
  void Revoke();

  const exec::LaunchOptions& options_;
  Place place_;
  exec::ListenDoor& door_;
  const Events events_;
  SiteChoice choice_;
  std::optional<PrivateListener> site_;
  std::optional<PrivateListener> former_;  // that the program has shut down, until it listens again
  bool listens_ = false;
  bool settled_ = false;
  bool moved_ = false;  // another site while it serves
  absl::Time settles_at_ = absl::InfiniteFuture();
  std::map<uint32_t, Asked> claims_;                // by the claim's id
  std::map<std::string, uint32_t> ordinals_;        // of the wishes for any port
  std::vector<std::pair<SiteListener, Fd>> fresh_;  // of TakeListeners()
  std::vector<SidePort> side_ports_;
  std::vector<net::Address> seen_;  // elsewhere than at the site
  std::vector<net::Address> told_;  // of these, those that listen: the log has them
  std::string refusal_;             // why it could not have an address
};

}  // namespace uc::front

#endif  // CORE_FRONT_PROGRAM_SITE_H_
