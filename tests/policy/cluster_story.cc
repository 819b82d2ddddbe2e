#include "tests/policy/cluster_story.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tests/policy/policy_text.h"

namespace uc::policy {

void ClusterStory::Start(uint32_t workers) {
  options_.workers = workers;
  supervisor_.emplace(options_);
  start_.clear();
  Forget();
  Hear(supervisor_->Start(now_));
}

void ClusterStory::Boot(uint32_t workers) {
  Start(workers);
  for (SlotIndex slot = 0; slot < workers; ++slot) Ready(Incumbent(slot));
}

void ClusterStory::BootKept(uint32_t workers) {
  Start(workers);
  for (SlotIndex slot = 0; slot < workers; ++slot) {
    Kept(slot);
    Ready(Incumbent(slot));
  }
}

void ClusterStory::Resume() {
  supervisor_.emplace(options_);
  start_.clear();
  Forget();
  stand_ins_.clear();
  for (const Legacy::Found& found : legacy_.workers) {
    for (const SlotIndex slot : found.adopted) stand_ins_[slot] = found.worker;
  }
  Hear(supervisor_->Resume(now_, legacy_));
}

CommandId ClusterStory::Give(absl::string_view line, std::vector<WorkersBound> bounds) {
  std::string ticket;
  const absl::StatusOr<CommandLine> parsed = ParseCommandLine(line, &ticket);
  EXPECT_TRUE(parsed.ok()) << parsed.status();
  const CommandId id = next_command_++;
  if (parsed.ok()) Happens(CommandGiven{id, parsed->command, std::move(bounds)});
  return id;
}

void ClusterStory::Ready(WorkerId worker) { Happens(WorkerReady{worker}); }
void ClusterStory::Kept(SlotIndex slot) { Happens(ListenersKept{slot}); }
void ClusterStory::ProbePasses(WorkerId worker) { Happens(ProbeAnswered{worker, true, ""}); }
void ClusterStory::ProbeFails(WorkerId worker, absl::string_view reason) {
  Happens(ProbeAnswered{worker, false, std::string(reason)});
}
void ClusterStory::Dies(WorkerId worker, absl::string_view reason) {
  Happens(WorkerExited{worker, false, std::string(reason)});
}
void ClusterStory::Leaves(WorkerId worker) {
  Happens(WorkerExited{worker, true, "exited with code 0"});
}
void ClusterStory::Exits(WorkerId worker, int code) {
  Happens(WorkerExited{worker, code == 0, absl::StrCat("exited with code ", code), code});
}
void ClusterStory::ProgramDies(WorkerId worker, absl::string_view reason) {
  Happens(ProgramEnded{worker, false, std::string(reason)});
}
void ClusterStory::ProgramExits(WorkerId worker, int code) {
  Happens(ProgramEnded{worker, code == 0, absl::StrCat("exited with code ", code), code});
}
void ClusterStory::SaysLate(WorkerId worker, LateHello::Phase phase) {
  Happens(LateHello{worker, phase});
}
void ClusterStory::HoldsLate(WorkerId worker, SlotIndex slot) { Happens(LateHolds{worker, slot}); }
void ClusterStory::Due(WorkerId worker, absl::string_view reason) {
  Happens(RecycleDue{worker, std::string(reason)});
}
void ClusterStory::Refuses(WorkerId worker, absl::string_view reason, Fault fault) {
  Happens(WorkerRefused{worker, fault, std::string(reason)});
}
void ClusterStory::CannotSpawn(WorkerId worker, absl::string_view reason, Fault fault) {
  Happens(SpawnFailed{worker, fault, std::string(reason)});
}
void ClusterStory::Observed(WorkerId worker, Health health) {
  Happens(HealthObserved{worker, health});
}
void ClusterStory::UpgradeFails(CommandId command, absl::string_view reason) {
  Happens(UpgradeFailed{command, std::string(reason)});
}

void ClusterStory::Pass(absl::Duration duration) {
  Forget();
  const absl::Time end = now_ + duration;
  while (supervisor_->NextDeadline() <= end) {
    ASSERT_GT(supervisor_->NextDeadline(), now_) << "a deadline that does not go away";
    now_ = supervisor_->NextDeadline();
    Hear(supervisor_->Step(now_, Woke{}));
  }
  now_ = end;
}

const Slot& ClusterStory::At(SlotIndex index) const {
  for (const Slot& slot : supervisor_->slots()) {
    if (slot.index == index) return slot;
  }
  ADD_FAILURE() << "no slot " << index;
  static const Slot none;
  return none;
}

WorkerId ClusterStory::IdOf(const std::optional<Worker>& worker) {
  EXPECT_TRUE(worker.has_value());
  return worker.has_value() ? worker->id : WorkerId{};
}
WorkerId ClusterStory::Incumbent(SlotIndex slot) const { return IdOf(At(slot).incumbent); }
WorkerId ClusterStory::Successor(SlotIndex slot) const { return IdOf(At(slot).successor); }
WorkerId ClusterStory::Leaving(SlotIndex slot) const { return IdOf(At(slot).leaving); }

bool ClusterStory::Serving(SlotIndex slot) const {
  const std::optional<Worker>& incumbent = At(slot).incumbent;
  return incumbent.has_value() && incumbent->state == WorkerState::kServing;
}

std::vector<SlotIndex> ClusterStory::Live() const {
  std::vector<SlotIndex> live;
  for (const Slot& slot : supervisor_->slots()) {
    if (slot.live) live.push_back(slot.index);
  }
  return live;
}

std::vector<std::string> ClusterStory::StandIns() const {
  std::vector<std::string> stand_ins;
  for (const auto& [slot, worker] : stand_ins_) {
    stand_ins.push_back(absl::StrCat(slot, " by ", ToText(worker)));
  }
  return stand_ins;
}

int ClusterStory::Starting() const {
  int starting = 0;
  for (const Slot& slot : supervisor_->slots()) {
    for (const auto* worker : {&slot.incumbent, &slot.successor}) {
      starting += worker->has_value() && (*worker)->state == WorkerState::kStarting;
    }
  }
  return starting;
}

std::string ClusterStory::Answer(CommandId command) const {
  std::string answer;
  for (const Acknowledge& given : answers_) {
    if (given.command != command) continue;
    EXPECT_EQ(answer, "") << "answered twice";
    answer = absl::StrCat(ToText(given.outcome), ": ", given.text);
  }
  return answer;
}

void ClusterStory::Happens(const Event& event) {
  Forget();
  Hear(supervisor_->Step(now_, event));
}

void ClusterStory::Forget() {
  asked_.clear();
  told_.clear();
  reported_.clear();
}

void ClusterStory::Hear(const Actions& actions) {
  for (const Action& action : actions) {
    EXPECT_FALSE(finish_.has_value()) << "after Finish: " << ToText(action);
    if (const auto* progress = std::get_if<Progress>(&action)) {
      told_.push_back(progress->text);
    } else if (const auto* report = std::get_if<Report>(&action)) {
      reported_.push_back(report->text);
    } else if (std::holds_alternative<StartEnded>(action)) {
      EXPECT_EQ(start_, "") << "the start ended twice";
      start_ = ToText(action);
    } else if (const auto* answer = std::get_if<Acknowledge>(&action)) {
      answers_.push_back(*answer);
    } else {
      if (const auto* finish = std::get_if<Finish>(&action)) finish_ = *finish;
      if (const auto* adopt = std::get_if<Adopt>(&action)) stand_ins_[adopt->slot] = adopt->worker;
      if (const auto* release = std::get_if<Release>(&action)) {
        const auto found = stand_ins_.find(release->slot);
        if (found != stand_ins_.end() && found->second == release->worker) stand_ins_.erase(found);
      }
      asked_.push_back(ToText(action));
    }
  }
}

}  // namespace uc::policy
