// Upgrade: the coordinator's own program is replaced by execve(2): same pid, workers stay its children, and
// what cannot be found again (lock, control pipe, listeners, steering) goes with it as descriptors. All else the
// new program learns as any coordinator does that finds workers (former_workers.h).
//
// Before that the new program is rehearsed: started once as a child with the same words, it reads the state and
// says whether it could go on, with a word that it was given: an exit code of 0 is what many programs end with. Only
// one that could is ever exec'd, so a bad build leaves the old one running.
#ifndef CORE_COORDINATOR_UPGRADE_H_
#define CORE_COORDINATOR_UPGRADE_H_

#include <sys/types.h>

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "core/base/fd.h"
#include "core/policy/event.h"

namespace uc::coordinator {

// Descriptor numbers that survive the exec.
struct UpgradeState {
  int lock = -1;
  int control = -1;
  int reply = -1;  // of the command that asked for it; -1: nobody waits
  std::vector<int> steering;
  std::map<policy::SlotIndex, std::vector<int>> listeners;

  // All numbers.
  std::vector<int> Descriptors() const;
};
// A few lines of text, versions first. FailedPrecondition: written for another version of link or scoreboard.
std::string Encode(const UpgradeState& state);
absl::StatusOr<UpgradeState> DecodeUpgrade(absl::string_view text);

// What the program before us left, once; nullopt: we are nobody's successor. Descriptors are close-on-exec again.
absl::StatusOr<std::optional<UpgradeState>> TakeUpgradeState();
// True in a program that an upgrade has put into the place of another, until TakeUpgradeState().
bool IsUpgraded();
// True in the child of a rehearsal.
bool IsRehearsal();
// In the child: what it says on stdout when it could go on, a line.
std::string RehearsalAnswer();

// The child that says whether the new program could go on.
class Rehearsal {
 public:
  static constexpr absl::Duration kPatience = absl::Seconds(10);

  // `arguments`: argv, argv[0] included.
  static absl::StatusOr<Rehearsal> Begin(const std::string& binary,
                                         const std::vector<std::string>& arguments,
                                         const UpgradeState& state);
  Rehearsal(Rehearsal&&) = default;
  Rehearsal& operator=(Rehearsal&&) = default;

  // Readable when it has ended.
  int fd() const { return pidfd_.get(); }
  pid_t pid() const { return pid_; }
  // When fd() is readable, or too much time has passed: then it is killed. OK: it could go on.
  absl::Status End();

 private:
  Rehearsal(pid_t pid, Fd pidfd, Fd words, Fd answer, std::string expected)
      : pid_(pid),
        pidfd_(std::move(pidfd)),
        words_(std::move(words)),
        answer_(std::move(answer)),
        expected_(std::move(expected)) {}
  pid_t pid_;
  Fd pidfd_;
  Fd words_;   // its stderr
  Fd answer_;  // its stdout
  std::string expected_;
};

// Comes back only if it fails; everything is as it was then.
absl::Status ReplaceProgram(const std::string& binary, const std::vector<std::string>& arguments,
                            const UpgradeState& state);

}  // namespace uc::coordinator

#endif  // CORE_COORDINATOR_UPGRADE_H_
