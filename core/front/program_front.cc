#include "core/front/program_front.h"

#include <sys/epoll.h>
#include <sys/wait.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "core/base/clock.h"
#include "core/base/fd.h"
#include "core/base/log.h"
#include "core/exec/program_end.h"
#include "core/front/front.h"
#include "core/front/program_process.h"
#include "core/worker/worker.h"

namespace uc::front {
namespace {

// Of the time of a drain: then the program is asked to leave though clients are connected (tunnels, above all).
constexpr double kAskAt = 0.8;
constexpr std::chrono::milliseconds kLook(100);
constexpr std::chrono::seconds kAlone(1);

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
                .wait_max = program.listen_timeout,
                .protocol = worker.client_protocol,
                .trusted_proxies = worker.trusted_proxies}) {}

  // worker::Gateway
  void Join(worker::Service& service, worker::Outgoing& outgoing,
            worker::GatewayLoop& loop) override {
    service_ = &service;
    loop_ = &loop;
    front_.Join(service, outgoing, loop);
  }
  Way WayOf(std::string_view first_bytes, Patience patience) override {
    return front_.WayOf(first_bytes, patience);
  }
  void HandleTunnel(worker::RelayExchange& client) override { front_.HandleTunnel(client); }
  bool HandleSilent(worker::RelayExchange& client) override { return front_.HandleSilent(client); }
  bool ready_later() const override { return true; }
  bool restarting() const override { return ready_ && !serving_; }
  void OnReadable() override {
    if (program_.has_value()) program_->OnReadable();
  }
  void OnStartProgram() override {
    if (service_->draining) return;
    if (ended()) return StartProgram();
    if (serving_) loop_->BecomeReady();  // a new coordinator does not know
  }
  void OnDrain(int64_t within_ns) override {
    if (!serving_) front_.RefuseWaiting();
    if (!program_.has_value()) return;
    if (!serving_) return program_->AskToLeave();
    if (within_ns <= 0) return;
    const auto ask_at =
        std::chrono::nanoseconds(static_cast<int64_t>(static_cast<double>(within_ns) * kAskAt));
    context_->After(std::chrono::duration_cast<std::chrono::milliseconds>(ask_at),
                    [this] { program_->AskToLeave(); });
  }
  bool Finished() override {
    if (ended()) return true;
    program_->AskToLeave();
    return false;
  }

  // app::App
  app::Options options() const override { return front_.options(); }
  void Start(app::Context& context) override {
    context_ = &context;
    front_.Start(context);
    if (!epoll_.valid()) return loop_->Leave(absl::ResourceExhaustedError("no file descriptors"));
    loop_->Watch(epoll_.get());
    StartProgram();
  }
  void Handle(app::Exchange& exchange) override { front_.Handle(exchange); }

 private:
  bool ended() const {
    return !program_.has_value() || program_->state() == ProgramProcess::State::kEnded;
  }
  void StartProgram() {
    outcome_ = {};
    program_.emplace(
        program_options_,
        ProgramProcess::Place{context_->slot(), context_->generation(), loop_->addresses()},
        service_->row, epoll_,
        ProgramProcess::Events{.ready = [this] { OnReady(); }, .ended = [this] { OnEnded(); }});
    const absl::Status status = program_->Start(MonotonicNow());
    if (!status.ok()) {
      program_.reset();
      return Failed(status);
    }
    ArmLook();
  }
  void OnReady() {
    ready_ = serving_ = true;
    front_.ServeBy(program_->endpoint());
    loop_->BecomeReady();
  }
  void OnEnded() {
    const bool served = std::exchange(serving_, false);
    front_.ServeByNone();
    if (service_->draining) {  // Finished() sees it
      outcome_ = {program_->wait_status(), program_->left_as_asked()};
      return;
    }
    if (!served) return Failed(absl::FailedPreconditionError(program_->Failure()));
    const int status = program_->wait_status();
    const int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    Say({code == 0, code, exec::EndText(status)});
  }
  // It could not be started, or has not come to serve.
  void Failed(const absl::Status& why) {
    if (!ready_) return loop_->Leave(why);
    LogWarning(why.message());
    Say({false, -1, std::string(why.message())});
  }
  void Say(const link::ProgramEnded& ended) {
    if (loop_->SayProgramEnded(ended)) return;
    // Nobody is there to decide: the supervisor's first delay, and no more often.
    context_->After(kAlone, [this] { OnStartProgram(); });
  }
  // Until it serves, or does not in time.
  void ArmLook() {
    context_->After(kLook, [this] {
      if (!program_.has_value()) return;
      program_->OnTime(MonotonicNow());
      // At once: the coordinator's own patience ends soon, and it would not know why.
      if (program_->late() && !ready_) {
        return loop_->Leave(absl::FailedPreconditionError(program_->Failure()));
      }
      if (program_->state() == ProgramProcess::State::kStarting) ArmLook();
    });
  }

  const exec::LaunchOptions& program_options_;
  Outcome& outcome_;
  Front front_;
  worker::Service* service_ = nullptr;
  worker::GatewayLoop* loop_ = nullptr;
  app::Context* context_ = nullptr;
  const Fd epoll_{epoll_create1(EPOLL_CLOEXEC)};
  std::optional<ProgramProcess> program_;
  bool ready_ = false;    // the worker has been, once
  bool serving_ = false;  // the program
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
