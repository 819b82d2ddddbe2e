// A front with a program of its own behind it: the worker of a slot whose app is a program.
//
//   READY    the program listens at the site (site_choice.h), and has said so where that is asked for; then the worker
//            listens: without --listen at the very address that the program asked for
//   drain    clients are served, or move to other workers; when they have gone the program is asked to leave, or when
//            most of the time is over
//   its end  the worker keeps its clients, requests wait, those that may be sent again are; the supervisor says when
//            the program is started again, in place
//
// A worker whose program never became READY refuses to start, as a native one whose app cannot be loaded.
#ifndef CORE_FRONT_PROGRAM_FRONT_H_
#define CORE_FRONT_PROGRAM_FRONT_H_

#include "core/exec/launch_options.h"
#include "core/link/channel.h"
#include "core/worker/worker_options.h"

namespace uc::front {

// In the worker. It takes `worker`'s identity before the program begins, so the program has it as well
// (LaunchOptions::identity_taken). Returns the exit code, or does not return: it ends by the signal that the program
// ended by.
int RunProgramFront(const worker::WorkerOptions& worker, const exec::LaunchOptions& program,
                    link::Channel channel);

}  // namespace uc::front

#endif  // CORE_FRONT_PROGRAM_FRONT_H_
