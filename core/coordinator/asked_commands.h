// AskedCommands: the commands that were given and are not answered yet: in which words, and who waits for the answer.
// What becomes of them is the Supervisor's; here it is told, to the asker and to the log.
#ifndef CORE_COORDINATOR_ASKED_COMMANDS_H_
#define CORE_COORDINATOR_ASKED_COMMANDS_H_

#include <map>
#include <string>

#include "core/coordinator/cluster_log.h"
#include "core/coordinator/reply.h"
#include "core/policy/action.h"
#include "core/policy/command.h"
#include "core/policy/event.h"

namespace uc::coordinator {

class AskedCommands {
 public:
  explicit AskedCommands(ClusterLog& log) : log_(log) {}

  policy::CommandId Add(const policy::Command& command, Reply reply);
  // Of a command that is not there, nothing is told.
  void Tell(const policy::Progress& progress);
  void Answer(const policy::Acknowledge& acknowledge);
  // Where the answer goes; -1: nobody waits.
  int reply(policy::CommandId command) const;

 private:
  struct Asked {
    std::string text;
    bool logged = true;  // not `ping`: a monitor asks for ever
    Reply reply;
  };
  ClusterLog& log_;
  std::map<policy::CommandId, Asked> asked_;
  policy::CommandId last_ = 0;
};

}  // namespace uc::coordinator

#endif  // CORE_COORDINATOR_ASKED_COMMANDS_H_
