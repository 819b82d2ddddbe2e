// Chronicle: what anybody can know who sees only the events that go in and the actions that come out.
//
// The invariants are judged by it, not by the supervisor's own tables, so that a table that is wrong is
// seen as well. When the coordinator dies the chronicle goes on with what the next one finds.
#ifndef TESTS_SIM_CHRONICLE_H_
#define TESTS_SIM_CHRONICLE_H_

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "absl/time/time.h"
#include "absl/types/span.h"
#include "core/policy/action.h"
#include "core/policy/event.h"
#include "core/policy/slot.h"
#include "core/policy/supervisor.h"

namespace uc::sim {

struct Member {
  policy::WorkerId id;
  policy::WorkerState state = policy::WorkerState::kStarting;
  policy::Entry entry = policy::Entry::kAtOnce;
  absl::Time since =
      absl::InfinitePast();  // of what it is given a time for: to start, to prove itself, to leave
  absl::Time ready_at = absl::InfiniteFuture();
  absl::Time well_since = absl::InfiniteFuture();  // it serves and is not silent
  bool suspect = false;
  bool program_asked = false;  // to start again, since it ended
  bool probed = false;
  bool proven = false;     // its probe was passed
  bool dismissed = false;  // asked to leave
  bool refused = false;
  bool unclear = false;  // killed, and then perhaps asked to leave
  bool retired = false;  // its slot was not wanted at some time of its life
  bool recycle_due = false;
  bool recycles = false;   // born to recycle another one, not by a roll that was asked for
  bool promoted = false;   // a successor that has followed its incumbent
  bool inherited = false;  // found by this coordinator
  bool unheard = false;    // and has not answered it yet
};

// What is known of one slot.
struct Story {
  std::vector<Member> members;  // alive, in order of birth; the dead are taken out
  bool live = false;
  absl::Time dark_since = absl::InfinitePast();
  bool kept = false;                       // the coordinator keeps its listeners
  std::optional<policy::WorkerId> binder;  // they do not listen before it is READY
  // One at most; but two coordinators may each have known of another.
  std::vector<policy::WorkerId> stand_ins;
  policy::Generation evacuated = 0;  // workers up to this one have no listeners any more
  // Ends that nobody asked for, each within min_uptime, in a row; and the last one.
  int quick_ends = 0;
  absl::Time last_end = absl::InfinitePast();
  // The roll under way has spawned somebody here. It may have forgotten what was before, which shows only later: one
  // start without a back-off is pardoned for it.
  bool renewed = false;
  int pardons = 0;  // of this roll, and of those before it that it has not shown yet: two at most
  // The last one ended for good: nobody may be spawned unasked. And a weaker one: it may have done so.
  bool over = false;
  bool tried = false;  // a worker was spawned or found here
  bool perhaps_over = false;
};

// The header of the scoreboard that a new coordinator read.
enum class Header { kTrue, kLies };

class Chronicle {
 public:
  explicit Chronicle(const policy::RestartOptions& options) : options_(options) {}

  // `actions`: those that follow; a command that they refuse changes nothing.
  void Happened(absl::Time now, const policy::Event& event,
                absl::Span<const policy::Action> actions);
  void AskedFor(absl::Time now, const policy::Action& action);
  // Said after each step.
  void Wanted(uint32_t wanted);
  // Said before each step's actions: a roll that was asked for is under way.
  void Rolling(bool rolling);
  // What is left of the back-off of this slot.
  absl::Duration BackOffLeft(absl::Time now, const Story& story) const;
  // Said after each step, behind Wanted().
  void Progress(absl::Time now);
  // The coordinator has died; another one found this.
  void Reborn(absl::Time now, const policy::Legacy& legacy, Header header = Header::kTrue);

  const std::map<policy::SlotIndex, Story>& slots() const { return slots_; }
  const Story& At(policy::SlotIndex slot) const;         // an empty one if nothing is known
  const Member* Find(const policy::WorkerId& id) const;  // nullptr: not alive
  // The oldest that serves, or keeps its clients while its program is started again; nullptr:
  // nobody does.
  const Member* Acceptor(policy::SlotIndex slot) const;
  bool Accepts(policy::SlotIndex slot) const { return Acceptor(slot) != nullptr; }
  // The oldest that serves; nullptr: nobody does.
  const Member* Incumbent(policy::SlotIndex slot) const;
  bool Serves(policy::SlotIndex slot) const { return Incumbent(slot) != nullptr; }
  // Its acceptor serves, and is not silent.
  bool Healthy(policy::SlotIndex slot) const;
  // A healthy one in another slot, of those below `end`.
  bool HealthyBeside(policy::SlotIndex slot, policy::SlotIndex end) const;
  // The stand-ins that are alive and accept.
  std::vector<const Member*> StandIns(const Story& story) const;
  // The listeners are bound, and their worker has not begun to listen.
  bool Silent(const Story& story) const;
  // Slots below `end` that have a serving worker.
  int ServingBelow(policy::SlotIndex end) const;
  int Live() const;
  int Starting() const;
  int Alive() const;
  const std::set<policy::CommandId>& open() const { return open_; }
  // Found by a new coordinator where nobody can be: in a slot or with a generation that there are not, or as a third
  // one in its slot that accepts nothing, or a fourth one. They hold no slot, and have to end.
  const std::vector<Member>& impossible() const { return impossible_; }

  policy::Generation newest = 0;
  policy::Generation newest_before_roll = 0;
  bool ever_ready = false;
  bool stop_given = false;
  bool finished = false;
  std::optional<policy::CommandId> upgrade;             // under way
  std::vector<policy::WorkerId> served_before_rebirth;  // or were restarting
  std::vector<policy::WorkerId> restarting_before_rebirth;
  // The end of the start, or of the last take-over: said so often; and when there was progress last.
  int start_tells = 0;
  absl::Time start_progress_at = absl::InfinitePast();

 private:
  Member* Known(const policy::WorkerId& id);
  void Inherit(absl::Time now, const policy::Legacy::Found& found);
  void Ready(absl::Time now, const policy::WorkerId& id);
  void Kept(policy::SlotIndex slot);
  void Observed(absl::Time now, const policy::HealthObserved& event);
  void Given(const policy::CommandGiven& event, bool refused);
  void DoubtKilled(const policy::Restart& restart);
  void Ended(absl::Time now, const policy::WorkerId& id, std::optional<int> exit_code);
  void ProgramEnded(absl::Time now, const policy::ProgramEnded& event);
  void SaidLate(absl::Time now, const policy::LateHello& event);
  // Nobody asked for this end, of a worker or of its program, after so long a life.
  void EndedUnasked(absl::Time now, Story& story, const Member& member,
                    std::optional<int> exit_code, absl::Duration life);
  void RollBegins();
  // A worker or a program of this slot.
  void Started(absl::Time now, Story& story);
  void NotePromotions();
  void Answered(const policy::Acknowledge& answer);

  const policy::RestartOptions options_;
  bool rolling_ = false;
  std::map<policy::SlotIndex, Story> slots_;
  std::vector<Member> impossible_;
  uint32_t wanted_ = UINT32_MAX;
  size_t start_progress_ =
      0;  // slots that were tried and slots that served at one time, the most so far
  std::set<policy::CommandId> open_;
  std::set<policy::CommandId> reloads_;
};

}  // namespace uc::sim

#endif  // TESTS_SIM_CHRONICLE_H_
