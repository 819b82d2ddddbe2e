#include "core/front/program_front.h"

#include <chrono>
#include <memory>
#include <optional>
#include <utility>

#include "absl/status/statusor.h"
#include "core/base/clock.h"
#include "core/exec/program_end.h"
#include "core/front/front.h"
#include "core/front/program_process.h"
#include "core/worker/worker.h"

namespace uc::front {
namespace {

// Of the time of a drain: then the program is asked to leave though clients are connected (tunnels, above all).
constexpr double kAskAt = 0.8;
constexpr std::chrono::milliseconds kLook(100);

// How it went, for when the app is gone.
struct Outcome {
  std::optional<int> wait_status;
  bool left_as_asked = false;
};

class ProgramFront final : public app::App, public worker::Gateway {
 public:
  ProgramFront(const worker::WorkerOptions& worker, const exec::LaunchOptions& program,
               Outcome& outcome)
      : program_options_(program),
        outcome_(outcome),
        front_({.server = std::nullopt,
                .in_flight_max = worker.in_flight_max,
                .wait_max = program.listen_timeout}) {}

  // worker::Gateway
  void Join(worker::Service& service, worker::Outgoing& outgoing,
            worker::GatewayLoop& loop) override {
    service_ = &service;
    loop_ = &loop;
    front_.Join(service, outgoing, loop);
  }
  bool ready_later() const override { return true; }
  void OnReadable() override { program_->OnReadable(); }
  void OnDrain(int64_t within_ns) override {
    if (program_->state() == ProgramProcess::State::kStarting) return program_->AskToLeave();
    if (within_ns <= 0) return;
    const auto ask_at =
        std::chrono::nanoseconds(static_cast<int64_t>(static_cast<double>(within_ns) * kAskAt));
    context_->After(std::chrono::duration_cast<std::chrono::milliseconds>(ask_at),
                    [this] { program_->AskToLeave(); });
  }
  bool Finished() override {
    program_->AskToLeave();
    return program_->state() == ProgramProcess::State::kEnded;
  }

  // app::App
  app::Options options() const override { return front_.options(); }
  void Start(app::Context& context) override {
    context_ = &context;
    front_.Start(context);
    program_.emplace(
        program_options_,
        ProgramProcess::Place{context.slot(), context.generation(), loop_->addresses()},
        service_->row,
        ProgramProcess::Events{.ready = [this] { OnReady(); }, .ended = [this] { OnEnded(); }});
    if (const absl::Status status = program_->Start(MonotonicNow()); !status.ok()) {
      return loop_->Leave(status);
    }
    loop_->Watch(program_->fd());
    ArmLook();
  }
  void Handle(app::Exchange& exchange) override { front_.Handle(exchange); }

 private:
  void OnReady() {
    front_.ServeBy(program_->endpoint());
    if (!std::exchange(ready_, true)) loop_->BecomeReady();
  }
  void OnEnded() {
    outcome_ = {program_->wait_status(), program_->left_as_asked()};
    if (service_->draining) return;  // Finished() sees it
    const bool failed = !ready_;
    loop_->Leave(failed ? absl::FailedPreconditionError(program_->Failure()) : absl::OkStatus());
  }
  // Until it serves, or does not in time.
  void ArmLook() {
    context_->After(kLook, [this] {
      program_->OnTime(MonotonicNow());
      if (program_->state() == ProgramProcess::State::kStarting) ArmLook();
    });
  }

  const exec::LaunchOptions& program_options_;
  Outcome& outcome_;
  Front front_;
  std::optional<ProgramProcess> program_;
  worker::Service* service_ = nullptr;
  worker::GatewayLoop* loop_ = nullptr;
  app::Context* context_ = nullptr;
  bool ready_ = false;
};

}  // namespace

int RunProgramFront(const worker::WorkerOptions& worker, const exec::LaunchOptions& program,
                    link::Channel channel) {
  Outcome outcome;
  const int code = worker::RunWorkerWithApp(
      worker, std::move(channel), [&]() -> absl::StatusOr<worker::MadeApp> {
        return std::make_unique<ProgramFront>(worker, program, outcome);
      });
  if (code != 0 || !outcome.wait_status.has_value() || outcome.left_as_asked) return code;
  return exec::EndLike(*outcome.wait_status);
}

}  // namespace uc::front
