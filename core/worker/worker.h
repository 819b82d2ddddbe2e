// Worker: one process, one thread, one ring; serves the listeners of one slot until it is told to leave.
//
// Life: Assign comes over the link (descriptor 3) -> bind or take the inherited listeners -> ring -> with --user: rights
// are given up -> app made, its Start -> accept armed, listen() last -> Ready. Drain, SIGTERM or SIGINT -> app's Drain hook -> cancel the
// accept and take every completion up to -ECANCELED -> connections finish -> app's Stop -> exit 0.
// The coordinator's death (EOF on the link) changes nothing: a worker serves on.
#ifndef CORE_WORKER_WORKER_H_
#define CORE_WORKER_WORKER_H_

#include <concepts>
#include <functional>
#include <memory>
#include <utility>

#include "absl/status/statusor.h"
#include "core/app/app.h"
#include "core/link/channel.h"
#include "core/worker/outgoing.h"
#include "core/worker/worker_options.h"

namespace uc::worker {

// Returns the exit code: 0 after a drain, 1 when it refused to start (said over the link as well).
int RunWorker(const WorkerOptions& options, link::Channel channel);

// An app, and whether it is a gateway: known from its type where it is made. Refused: a dynamic_cast, for an app of a
// shared object may have been compiled without run-time types.
struct MadeApp {
  template <std::derived_from<app::App> App>
  MadeApp(std::unique_ptr<App> made) {  // implicit: what a factory returns
    if constexpr (std::derived_from<App, Gateway>) gateway = made.get();
    app = std::move(made);
  }
  std::unique_ptr<app::App> app;
  Gateway* gateway = nullptr;  // the app, if it is one
};

// The same with an app of the caller's, made in the worker: a program can be its own cluster, and tests
// bring theirs.
using AppFactory = std::function<absl::StatusOr<MadeApp>()>;
int RunWorkerWithApp(const WorkerOptions& options, link::Channel channel,
                     const AppFactory& make_app);

}  // namespace uc::worker

#endif  // CORE_WORKER_WORKER_H_
