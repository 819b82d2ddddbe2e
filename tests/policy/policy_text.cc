#include "tests/policy/policy_text.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace uc::policy {
namespace {

const char* ToText(DrainKind kind) {
  switch (kind) {
    case DrainKind::kHandOver:
      return "hand-over";
    case DrainKind::kPrompt:
      return "prompt";
  }
  return "?";
}

const char* ToText(KillReason reason) {
  switch (reason) {
    case KillReason::kStuck:
      return "stuck";
    case KillReason::kLateReady:
      return "late-ready";
    case KillReason::kLateExit:
      return "late-exit";
    case KillReason::kAborted:
      return "aborted";
    case KillReason::kStopNow:
      return "stop-now";
  }
  return "?";
}

const char* ToText(Health health) {
  switch (health) {
    case Health::kWell:
      return "well";
    case Health::kStarved:
      return "starved";
    case Health::kSuspect:
      return "suspect";
    case Health::kStuck:
      return "stuck";
  }
  return "?";
}

const char* ToText(LateHello::Phase phase) {
  switch (phase) {
    case LateHello::Phase::kProving:
      return "proving";
    case LateHello::Phase::kServing:
      return "serving";
    case LateHello::Phase::kRestarting:
      return "restarting";
    case LateHello::Phase::kDraining:
      return "draining";
  }
  return "?";
}

const char* ToText(Fault fault) { return fault == Fault::kOperator ? "operator" : "world"; }

struct ActionText {
  std::string operator()(const Spawn& a) const {
    return absl::StrCat("spawn ", ToText(a.worker),
                        a.entry == Entry::kOnAdmission ? " on-admission" : "");
  }
  std::string operator()(const Probe& a) const { return "probe " + ToText(a.worker); }
  std::string operator()(const Admit& a) const { return "admit " + ToText(a.worker); }
  std::string operator()(const StartProgram& a) const {
    return "start program " + ToText(a.worker);
  }
  std::string operator()(const Drain& a) const {
    const auto add = [](std::string* text, const WorkerId& heir) { text->append(ToText(heir)); };
    return absl::StrCat("drain ", ToText(a.worker), " ", ToText(a.kind),
                        a.heirs.empty() ? "" : " to ", absl::StrJoin(a.heirs, " ", add));
  }
  std::string operator()(const Kill& a) const {
    return absl::StrCat("kill ", ToText(a.worker), " ", ToText(a.reason));
  }
  std::string operator()(const SetLive& a) const {
    return absl::StrCat("live ", a.slot, a.live ? " on" : " off");
  }
  std::string operator()(const Adopt& a) const {
    return absl::StrCat("adopt ", a.slot, " by ", ToText(a.worker));
  }
  std::string operator()(const Release& a) const {
    return absl::StrCat("release ", a.slot, " by ", ToText(a.worker));
  }
  std::string operator()(const Evacuate& a) const { return absl::StrCat("evacuate ", a.slot); }
  std::string operator()(const Rebalance&) const { return "rebalance"; }
  std::string operator()(const Progress& a) const {
    return absl::StrCat("tell ", a.command, ": ", a.text);
  }
  std::string operator()(const Acknowledge& a) const {
    return absl::StrCat("ack ", a.command, " ", ToText(a.outcome), ": ", a.text);
  }
  std::string operator()(const ReopenLogFiles&) const { return "reopen"; }
  std::string operator()(const Upgrade& a) const { return absl::StrCat("upgrade ", a.command); }
  std::string operator()(const StartEnded& a) const {
    return absl::StrCat(a.serving, " of ", a.wanted, " serve", a.failures.empty() ? "" : "; ",
                        a.failures);
  }
  std::string operator()(const Report& a) const {
    return absl::StrCat(a.level == Report::Level::kWarning ? "warn: " : "say: ", a.text);
  }
  std::string operator()(const Finish& a) const {
    return absl::StrCat("finish ", a.exit_code, ": ", a.text);
  }
};

struct EventText {
  std::string operator()(const SpawnFailed& e) const {
    return absl::StrCat("spawn failed ", ToText(e.worker), " by ", ToText(e.fault), ": ", e.reason);
  }
  std::string operator()(const WorkerReady& e) const { return "ready " + ToText(e.worker); }
  std::string operator()(const ListenersKept& e) const { return absl::StrCat("kept ", e.slot); }
  std::string operator()(const ProbeAnswered& e) const {
    return e.passed ? "probe passed " + ToText(e.worker)
                    : absl::StrCat("probe failed ", ToText(e.worker), ": ", e.reason);
  }
  std::string operator()(const WorkerRefused& e) const {
    return absl::StrCat("refused ", ToText(e.worker), " by ", ToText(e.fault), ": ", e.reason);
  }
  std::string operator()(const WorkerExited& e) const {
    return absl::StrCat("exited ", ToText(e.worker), ": ", e.reason);
  }
  std::string operator()(const ProgramEnded& e) const {
    return absl::StrCat("program ended ", ToText(e.worker), ": ", e.reason);
  }
  std::string operator()(const LateHello& e) const {
    return absl::StrCat("late hello ", ToText(e.worker), " ", ToText(e.phase));
  }
  std::string operator()(const LateHolds& e) const {
    return absl::StrCat("late holds ", e.slot, " by ", ToText(e.worker));
  }
  std::string operator()(const RecycleDue& e) const {
    return absl::StrCat("recycle due ", ToText(e.worker), ": ", e.reason);
  }
  std::string operator()(const HealthObserved& e) const {
    return absl::StrCat("health ", ToText(e.worker), " ", ToText(e.health));
  }
  std::string operator()(const CommandGiven& e) const {
    return absl::StrCat("command ", e.id, ": ", ToString(e.command));
  }
  std::string operator()(const UpgradeFailed& e) const {
    return absl::StrCat("upgrade failed ", e.command, ": ", e.reason);
  }
  std::string operator()(const Woke&) const { return "woke"; }
};

}  // namespace

std::string ToText(const WorkerId& worker) {
  return absl::StrCat(worker.slot, "/", worker.generation);
}

std::string ToText(Outcome outcome) {
  switch (outcome) {
    case Outcome::kDone:
      return "done";
    case Outcome::kFailed:
      return "failed";
    case Outcome::kRefused:
      return "refused";
  }
  return "?";
}

std::string ToText(const Action& action) { return std::visit(ActionText{}, action); }
std::string ToText(const Event& event) { return std::visit(EventText{}, event); }

}  // namespace uc::policy
