// CommandLedger: the commands that wait for their answer. PURE.
//
// Invariant: a command is acknowledged exactly once, and nothing is said about it afterwards.
#ifndef CORE_POLICY_COMMAND_LEDGER_H_
#define CORE_POLICY_COMMAND_LEDGER_H_

#include <cstddef>
#include <set>
#include <string>

#include "core/policy/action.h"

namespace uc::policy {

class CommandLedger {
 public:
  // Actions are appended to `actions`, which must outlive this.
  explicit CommandLedger(Actions* actions) : actions_(*actions) {}

  bool full() const;
  void Open(CommandId id);
  void Tell(CommandId id, const std::string& text);
  void Answer(CommandId id, Outcome outcome, const std::string& text);
  // All that are open fail.
  void FailAll(const std::string& text);

 private:
  Actions& actions_;
  std::set<CommandId> open_;
};

}  // namespace uc::policy

#endif  // CORE_POLICY_COMMAND_LEDGER_H_
