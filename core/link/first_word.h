// FirstWord: how every process that the coordinator spawns for a slot begins: it hears its Assign, and takes the signals
// that are meant for it. A worker and the launcher of a program do it alike.
//
// Knows the link and nothing of what a slot serves: what the assignment's descriptors and its row are good for is
// judged by whoever begins.
#ifndef CORE_LINK_FIRST_WORD_H_
#define CORE_LINK_FIRST_WORD_H_

#include "absl/status/statusor.h"
#include "core/base/fd.h"
#include "core/link/channel.h"

namespace uc::link {

// Blocks until the first message is there: an Assign with all the descriptors that it speaks of, except the listeners,
// which may be missing. The door in it is kept from then on. DeadlineExceeded: nothing came. Unavailable: the
// coordinator is gone; who has not served yet is not needed any more, and nobody would find it before it kept its door. FailedPrecondition: it is
// another message, or there are too few descriptors.
absl::StatusOr<Received> AwaitAssign(Channel& channel);

// SIGTERM and SIGINT are read, from the signalfd that is returned (non-blocking; not valid: there are no descriptors
// left); the coordinator's own signals mean nothing to a worker.
Fd TakeSignals();

}  // namespace uc::link

#endif  // CORE_LINK_FIRST_WORD_H_
