// Launcher: the worker of a slot whose app is a program of its own, in any language, unchanged.
//
// It stands between the coordinator and the program: it keeps the link, the door and the heartbeat as any worker
// does, starts the program with the preload library, gives it the slot's listeners, brings it the coordinator's orders,
// and ends as it ends.
//
//   READY   the program listens, or has said that it is ready (ReadyWhen)
//   drain   its listeners are closed to it; when its requests in flight are answered, or half of the time is over, it
//           is asked to leave, by message or by signal
//   health  it is silent when it does not turn while connections wait for it (QueueWatch)
//
// Refused: a probe of the successor. It shares the slot's listener with the incumbent, so nobody can say which of
// them a request of ours would meet.
#ifndef CORE_EXEC_LAUNCHER_H_
#define CORE_EXEC_LAUNCHER_H_

#include "core/exec/launch_options.h"
#include "core/link/channel.h"

namespace uc::exec {

// Returns the exit code, or does not return: it ends by the signal that the program ended by.
int RunLauncher(const LaunchOptions& options, link::Channel channel);

}  // namespace uc::exec

#endif  // CORE_EXEC_LAUNCHER_H_
