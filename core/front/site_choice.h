// SiteChoice: which of a program's listeners is its site, where clients come. PURE.
//
// A port that is named (by --listen; else by PORT or by what the cluster serves already) is the site before all others,
// then the first address that is not on the loopback, then the first that is. What comes first may be a guess: metrics
// on 127.0.0.1:9100, and a second later the site on 0.0.0.0:3000. The guess holds until a better one comes or it is
// settled, whichever is first.
//
//   (nothing) ──Choose──> guess ──Choose, a better one──> guess ──Settle──> settled
//                           └── certain() where nothing better can come
#ifndef CORE_FRONT_SITE_CHOICE_H_
#define CORE_FRONT_SITE_CHOICE_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "core/net/address.h"

namespace uc::front {

// Where the program wants to listen.
struct WishedSite {
  net::Address address;
  bool dual_stack = false;  // IPv6: takes IPv4 as well
  bool any_port =
      false;  // it did not mind which; then `address` may have one that the kernel chose
};

class SiteChoice {
 public:
  enum class Where {
    // Clients come to --listen, whatever the program's own address is: only a named one is better than the first.
    kListen,
    kNamed,    // the same, and only a named one is the site
    kProgram,  // clients come to the program's own address
  };
  SiteChoice(Where where, std::vector<uint16_t> named);

  enum class Verdict {
    kSite,     // it is the site, or a further address of it
    kInstead,  // it is the site, and what was taken for it is not
    kOther,
  };
  Verdict Judge(const WishedSite& wish) const;
  // The program has it: after kSite or kInstead.
  void Choose(const WishedSite& wish);
  // What was chosen does not listen after all.
  void Forget() { chosen_.reset(); }
  // The guess is not one any more. A named one is still better.
  void Settle() { settled_ = true; }

  const std::optional<WishedSite>& chosen() const { return chosen_; }
  // No listener that comes before Settle() can be better; false: there is nothing chosen, or a guess.
  bool certain() const;

 private:
  enum class Rank {
    kNever,
    kLoopback,
    kPublic,
    kNamed,
  };
  Rank RankOf(const WishedSite& wish) const;

  const Where where_;
  const std::vector<uint16_t> named_;
  std::optional<WishedSite> chosen_;
  bool settled_ = false;
};

// A listener of the slot.
struct SiteListener {
  net::Address address;
  bool dual_stack = false;
};
// Whoever connects to what is wished reaches this listener: no other is needed.
bool Covers(const SiteListener& listener, const WishedSite& wish);

bool IsLoopback(const net::Address& address);
// Node's port for a debugger, 9229, counted up for each of its children. It listens before the program does.
bool IsDebuggerPort(uint16_t port);

}  // namespace uc::front

#endif  // CORE_FRONT_SITE_CHOICE_H_
