#include "tests/sim/doctored_cluster.h"

#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace uc::sim {
namespace {

std::set<std::string>& Fallen() {
  static std::set<std::string> fallen;
  return fallen;
}

}  // namespace

void NoteFallen(absl::string_view what) { Fallen().emplace(what.substr(0, what.find(':'))); }

std::vector<std::string> NeverFallen() {
  std::vector<std::string> never;
  for (const std::string& rule : RuleNames()) {
    if (Fallen().count(rule) == 0) never.push_back(rule);
  }
  return never;
}

void DoctoredCluster::Boot(uint32_t workers) {
  options_.workers = workers;
  supervisor_.emplace(options_);
  invariants_.emplace(options_);
  const policy::Actions first = supervisor_->Start(now_);
  ASSERT_EQ(Judge(policy::Woke{}, first, ViewOf(*supervisor_)), "");
  for (uint32_t slot = 0; slot < workers; ++slot) Holds(policy::WorkerReady{{slot, slot + 1}});
}

void DoctoredCluster::BootKept(uint32_t workers) {
  Boot(workers);
  for (uint32_t slot = 0; slot < workers; ++slot) Holds(policy::ListenersKept{slot});
}

void DoctoredCluster::Holds(const policy::Event& event) {
  EXPECT_EQ(Doctored(event, [](policy::Actions*) {}), "");
}

void DoctoredCluster::Pass(absl::Duration duration) {
  now_ += duration;
  Holds(policy::Woke{});
}

std::string DoctoredCluster::With(policy::Action added, const policy::Event& event) {
  return Doctored(event, [&](policy::Actions* actions) { actions->push_back(std::move(added)); });
}

std::string DoctoredCluster::Instead(policy::Actions others, const policy::Event& event) {
  return Doctored(event, [&](policy::Actions* actions) { *actions = std::move(others); });
}

std::string DoctoredCluster::Judge(const policy::Event& event, const policy::Actions& actions,
                                   const View& view) {
  return invariants_->Step(now_, event, actions, view);
}

policy::Event DoctoredCluster::Given(const policy::Command& command) {
  return policy::CommandGiven{++command_, command};
}

policy::Event DoctoredCluster::Death(policy::WorkerId worker) {
  return policy::WorkerExited{worker, false, "killed"};
}

policy::Event DoctoredCluster::Seen(policy::WorkerId worker, policy::Health health) {
  return policy::HealthObserved{worker, health};
}

}  // namespace uc::sim
