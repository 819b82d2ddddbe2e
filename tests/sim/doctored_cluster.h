// DoctoredCluster: an honest supervisor whose actions, tables or inheritance are doctored before they are
// judged, to see each invariant fall.
#ifndef TESTS_SIM_DOCTORED_CLUSTER_H_
#define TESTS_SIM_DOCTORED_CLUSTER_H_

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "core/policy/supervisor.h"
#include "tests/sim/invariants.h"

namespace uc::sim {

// This rule has fallen; all of them have to, sooner or later (every_rule_falls_test.cc).
void NoteFallen(absl::string_view what);
std::vector<std::string> NeverFallen();

MATCHER_P(Falls, rule, absl::StrCat("falls by ", rule)) {
  NoteFallen(arg);
  return absl::StartsWith(arg, absl::StrCat(rule, ":"));
}

class DoctoredCluster : public ::testing::Test {
 protected:
  // All READY. Kept: the coordinator keeps their listeners.
  void Boot(uint32_t workers);
  void BootKept(uint32_t workers);
  // Nobody has a hand in it.
  void Holds(const policy::Event& event);
  void Pass(absl::Duration duration);

  // What is said when `doctor` has had its hands on the actions.
  template <typename Doctor>
  std::string Doctored(const policy::Event& event, Doctor doctor) {
    policy::Actions actions = supervisor_->Step(now_, event);
    doctor(&actions);
    return Judge(event, actions, ViewOf(*supervisor_));
  }
  std::string With(policy::Action added, const policy::Event& event = policy::Woke{});
  std::string Instead(policy::Actions others, const policy::Event& event = policy::Woke{});
  template <typename Kind>
  std::string Without(const policy::Event& event) {
    return Doctored(event, [](policy::Actions* actions) { Remove<Kind>(actions); });
  }
  // With a doctored view.
  template <typename Doctor>
  std::string ShownAs(Doctor doctor) {
    View view = ViewOf(*supervisor_);
    doctor(&view);
    return Judge(policy::Woke{}, {}, view);
  }
  // Another coordinator finds `truth`, and behaves as one that found `belief`.
  template <typename Doctor>
  std::string Reborn(const policy::Legacy& truth, const policy::Legacy& belief, Doctor doctor) {
    supervisor_.emplace(options_);
    policy::Actions actions = supervisor_->Resume(now_, belief);
    doctor(&actions);
    return invariants_->Reborn(now_, options_, truth, actions, ViewOf(*supervisor_));
  }
  std::string Judge(const policy::Event& event, const policy::Actions& actions, const View& view);

  template <typename Kind>
  static void Remove(policy::Actions* actions) {
    std::erase_if(*actions, [](const auto& a) { return std::holds_alternative<Kind>(a); });
  }
  policy::Event Given(const policy::Command& command);
  static policy::Event Death(policy::WorkerId worker);
  static policy::Event Seen(policy::WorkerId worker, policy::Health health);

  absl::Time now_ = absl::FromUnixSeconds(1000);
  policy::SupervisorOptions options_;
  std::optional<policy::Supervisor> supervisor_;
  std::optional<Invariants> invariants_;
  policy::CommandId command_ = 0;
};

inline constexpr policy::WorkerId kFirst = {0, 1};
inline constexpr policy::WorkerId kSecond = {1, 2};
inline constexpr policy::WorkerId kNobody = {0, 99};

}  // namespace uc::sim

#endif  // TESTS_SIM_DOCTORED_CLUSTER_H_
