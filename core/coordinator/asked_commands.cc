#include "core/coordinator/asked_commands.h"

#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"

namespace uc::coordinator {

policy::CommandId AskedCommands::Add(const policy::Command& command, Reply reply) {
  const policy::CommandId id = ++last_;
  asked_[id] = Asked{policy::ToString(command), !std::holds_alternative<policy::Ping>(command),
                     std::move(reply)};
  return id;
}

void AskedCommands::Tell(const policy::Progress& progress) {
  const auto found = asked_.find(progress.command);
  if (found == asked_.end()) return;
  log_.Info(absl::StrCat(found->second.text, ": ", progress.text));
  found->second.reply.Progress(progress.text);
}

void AskedCommands::Answer(const policy::Acknowledge& acknowledge) {
  const auto found = asked_.find(acknowledge.command);
  if (found == asked_.end()) return;
  const bool done = acknowledge.outcome == policy::Outcome::kDone;
  if (found->second.logged || !done) {
    log_.Say(
        done ? Severity::kInfo : Severity::kWarning,
        absl::StrCat(found->second.text, " ", Name(acknowledge.outcome), ": ", acknowledge.text));
  }
  found->second.reply.End(acknowledge.outcome, acknowledge.text);
  asked_.erase(found);
}

int AskedCommands::reply(policy::CommandId command) const {
  const auto found = asked_.find(command);
  return found == asked_.end() ? -1 : found->second.reply.fd();
}

}  // namespace uc::coordinator
