#include "core/policy/command_ledger.h"

#include "core/base/check.h"
#include "core/policy/supervisor.h"

namespace uc::policy {

bool CommandLedger::full() const { return open_.size() >= kCommandsMax; }

void CommandLedger::Open(CommandId id) { UC_CHECK(open_.insert(id).second); }

void CommandLedger::Tell(CommandId id, const std::string& text) {
  UC_CHECK(open_.count(id) == 1);
  actions_.push_back(Progress{id, text});
}

void CommandLedger::Answer(CommandId id, Outcome outcome, const std::string& text) {
  UC_CHECK(open_.erase(id) == 1);
  actions_.push_back(Acknowledge{id, outcome, text});
}

void CommandLedger::FailAll(const std::string& text) {
  for (const CommandId id : open_) actions_.push_back(Acknowledge{id, Outcome::kFailed, text});
  open_.clear();
}

}  // namespace uc::policy
