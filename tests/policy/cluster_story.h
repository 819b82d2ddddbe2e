// ClusterStory: a small language for stories about a cluster. A test tells what happens and looks at
// what the supervisor then asks for; time passes only when the test says so.
#ifndef TESTS_POLICY_CLUSTER_STORY_H_
#define TESTS_POLICY_CLUSTER_STORY_H_

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "core/policy/supervisor.h"

namespace uc::policy {

class ClusterStory : public ::testing::Test {
 protected:
  // Spawned, nobody READY.
  void Start(uint32_t workers);
  // Spawned and READY. The coordinator keeps no listeners unless the story says so.
  void Boot(uint32_t workers);
  // Spawned, listeners kept, READY.
  void BootKept(uint32_t workers);
  // A new coordinator finds what `legacy_` says.
  void Resume();

  // What happens.
  CommandId Give(absl::string_view line, std::vector<WorkersBound> bounds = {});
  void Kept(SlotIndex slot);
  void Ready(WorkerId worker);
  void ProbePasses(WorkerId worker);
  void ProbeFails(WorkerId worker, absl::string_view reason = "503 Service Unavailable");
  void Dies(WorkerId worker, absl::string_view reason = "killed by SIGSEGV");
  void Leaves(WorkerId worker);  // exit code 0
  void Exits(WorkerId worker, int code);
  void ProgramDies(WorkerId worker, absl::string_view reason = "killed by SIGSEGV");
  void ProgramExits(WorkerId worker, int code);
  void SaysLate(WorkerId worker, LateHello::Phase phase);
  void HoldsLate(WorkerId worker, SlotIndex slot);
  void Due(WorkerId worker, absl::string_view reason = "enough requests");
  void Refuses(WorkerId worker, absl::string_view reason, Fault fault = Fault::kWorld);
  void CannotSpawn(WorkerId worker, absl::string_view reason, Fault fault = Fault::kWorld);
  void Observed(WorkerId worker, Health health);
  void UpgradeFails(CommandId command, absl::string_view reason = "exited with code 2");
  // Wakes the supervisor at each of its deadlines on the way.
  void Pass(absl::Duration duration);

  // Who is there.
  const Slot& At(SlotIndex slot) const;
  WorkerId Incumbent(SlotIndex slot) const;
  WorkerId Successor(SlotIndex slot) const;
  WorkerId Leaving(SlotIndex slot) const;
  bool Serving(SlotIndex slot) const;
  std::vector<SlotIndex> Live() const;
  // "1 by 0/1" for each slot that was adopted and not released since, though its stand-in may be gone.
  std::vector<std::string> StandIns() const;
  int Starting() const;

  // What was asked for since the last thing that happened; tells and reports are left out of Asked().
  const std::vector<std::string>& Asked() const { return asked_; }
  const std::vector<std::string>& Told() const { return told_; }  // progress
  const std::vector<std::string>& Reported() const { return reported_; }
  // What came of the start: "" while it goes on, else "1 of 2 serve; slot 1: REASON".
  const std::string& StartToldAs() const { return start_; }
  // "" while it is open, else "done: TEXT".
  std::string Answer(CommandId command) const;
  std::string LastAnswer() const { return Answer(next_command_ - 1); }
  std::optional<Finish> finish() const { return finish_; }

  SupervisorOptions options_;
  Legacy legacy_;
  absl::Time now_ = absl::FromUnixSeconds(1000);
  std::optional<Supervisor> supervisor_;

 private:
  void Happens(const Event& event);
  void Forget();
  void Hear(const Actions& actions);
  static WorkerId IdOf(const std::optional<Worker>& worker);

  CommandId next_command_ = 1;
  std::vector<std::string> asked_, told_, reported_;
  std::string start_;
  std::vector<Acknowledge> answers_;
  std::map<SlotIndex, WorkerId> stand_ins_;
  std::optional<Finish> finish_;
};

}  // namespace uc::policy

#endif  // TESTS_POLICY_CLUSTER_STORY_H_
