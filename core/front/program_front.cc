#include "core/front/program_front.h"

#include <sys/epoll.h>
#include <sys/wait.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "core/base/clock.h"
#include "core/base/fd.h"
#include "core/base/log.h"
#include "core/exec/offspring.h"
#include "core/exec/program_end.h"
#include "core/front/front.h"
#include "core/front/hang_watch.h"
#include "core/front/program_process.h"
#include "core/front/question.h"
#include "core/front/site_choice.h"
#include "core/net/listener.h"
#include "core/worker/worker.h"

namespace uc::front {
namespace {

// Of the time of a drain: then the program is asked to leave though clients have tunnels to it, so that it can tell
// them; then though it has requests, which some programs answer first; and then it is ended, before the worker is: what
// it has started ends with it.
constexpr double kAskBehindTunnels = 0.8;
constexpr double kAskBehindRequests = 0.9;
constexpr double kEndAt = 0.97;
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
                .trusted_proxies = worker.trusted_proxies}),
        hang_watch_(program.hang_timeout),
        hangs_matter_(program.hang_timeout != absl::InfiniteDuration()) {}

  // worker::Gateway
  void Join(worker::Service& service, worker::Outgoing& outgoing,
            worker::GatewayLoop& loop) override {
    service_ = &service;
    loop_ = &loop;
    front_.Join(service, outgoing, loop);
    where_ = service.options.addresses.empty()    ? SiteChoice::Where::kProgram
             : program_options_.program_port != 0 ? SiteChoice::Where::kNamed
                                                  : SiteChoice::Where::kListen;
  }
  Way WayOf(std::string_view first_bytes, Patience patience) override {
    return front_.WayOf(first_bytes, patience);
  }
  void HandleTunnel(worker::RelayExchange& client) override { front_.HandleTunnel(client); }
  bool HandleSilent(worker::RelayExchange& client) override { return front_.HandleSilent(client); }
  bool ready_later() const override { return true; }
  bool restarting() const override { return ready_ && !serving_; }
  void OnReadable() override {
    if (!program_.has_value() || !program_->OnReadable()) return;
    context_->Post([this] { OnReadable(); });
  }
  void OnClaimed(const link::Claimed& claimed, Fd listener) override {
    if (program_.has_value()) program_->OnClaimed(claimed, std::move(listener));
  }
  void OnCoordinatorGone() override {
    if (program_.has_value()) program_->OnCoordinatorGone();
  }
  void OnStartProgram() override {
    if (service_->draining) return;
    if (ended()) return StartProgram();
    if (serving_) loop_->BecomeReady();  // a new coordinator does not know
  }
  void OnDrain(int64_t within_ns) override {
    if (!serving_) front_.RefuseWaiting();
    if (!serving_ && program_.has_value()) program_->AskToLeave();
    drain_began_ns_ = service_->now_ns;
    drain_ns_ = within_ns;
    LookAtDrain();
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
    absl::StatusOr<Fd> offspring = exec::WatchOffspring();
    if (!offspring.ok()) return loop_->Leave(offspring.status());
    offspring_ = *std::move(offspring);
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
        ProgramProcess::Place{context_->slot(),
                              context_->generation(),
                              {where_, SlotListeners(), loop_->known_addresses()}},
        service_->row, ProgramProcess::Watches{epoll_, offspring_},
        ProgramProcess::Events{.ready = [this] { OnReady(); },
                               .ending = [this] { OnEnding(); },
                               .ended = [this] { OnEnded(); },
                               .claim = [this](const link::Claim& claim) { return Claim(claim); },
                               .more_listeners = [this] { TakeListeners().IgnoreError(); }});
    hung_ = false;
    const absl::Status status = program_->Start(MonotonicNow());
    if (!status.ok()) {
      program_.reset();
      return Failed(status);
    }
    ArmLook();
  }
  std::vector<SiteListener> SlotListeners() const {
    std::vector<SiteListener> all;
    for (const int listener : loop_->listeners()) {
      const absl::StatusOr<net::Address> address = net::LocalAddress(listener);
      if (address.ok()) all.push_back({*address, net::TakesBoth(listener)});
    }
    return all;
  }
  uint32_t Claim(link::Claim claim) {
    claim.id = ++last_claim_;
    return loop_->Claim(claim) ? claim.id : 0;
  }
  absl::Status TakeListeners() {
    absl::Status status = loop_->AddListeners(program_->TakeListeners());
    front_.TakeAddresses();
    if (!status.ok()) LogError(status.message());
    return status;
  }
  void OnReady() {
    // Where clients come is known from here on.
    if (absl::Status status = TakeListeners(); !status.ok() && !ready_) return loop_->Leave(status);
    ready_ = serving_ = true;
    front_.ServeBy(program_->endpoint());
    loop_->BecomeReady();
    if (!hangs_matter_) return;
    question_.emplace(program_options_.probe_path, front_.default_host());
    hang_watch_.Begin(MonotonicNow());
    if (!std::exchange(hang_look_armed_, true)) ArmHangLook();
  }
  void OnEnding() {
    served_ = std::exchange(serving_, false);
    front_.ServeByNone();
    ArmLook();
  }
  void OnEnded() {
    if (service_->draining) {  // Finished() sees it
      outcome_ = {program_->wait_status(), program_->left_as_asked()};
      return;
    }
    const int status = program_->wait_status();
    if (!served_ && !EndedAsItMay(status)) {
      return Failed(absl::FailedPreconditionError(program_->Failure()));
    }
    if (!ready_) {
      outcome_ = {status, false};
      return loop_->Leave(absl::OkStatus());
    }
    const int code = WIFEXITED(status) && !hung_ ? WEXITSTATUS(status) : -1;
    Say({code == 0, code, hung_ ? HangText() : exec::EndText(status)});
  }
  // Before it served as well.
  bool EndedAsItMay(int status) const {
    const std::vector<int>& codes = program_options_.done_codes;
    return WIFEXITED(status) && !program_->late() &&
           std::find(codes.begin(), codes.end(), WEXITSTATUS(status)) != codes.end();
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
  // Until it serves, or does not in time; and until all of it has ended.
  void ArmLook() {
    if (std::exchange(look_armed_, true)) return;
    context_->After(kLook, [this] {
      look_armed_ = false;
      if (!program_.has_value()) return;
      program_->OnTime(MonotonicNow());
      // At once: the coordinator's own patience ends soon, and it would not know why.
      if (program_->late() && !ready_) {
        return loop_->Leave(absl::FailedPreconditionError(program_->Failure()));
      }
      if (program_->AwaitsTime()) ArmLook();
    });
  }
  void LookAtDrain() {
    if (ended()) {
      front_.RefuseWaiting();  // nobody will answer them
    } else if (drain_ns_ > 0) {
      const double passed =
          static_cast<double>(service_->now_ns - drain_began_ns_) / static_cast<double>(drain_ns_);
      const double ask_at = front_.HasRequests() ? kAskBehindRequests : kAskBehindTunnels;
      if (passed >= ask_at) program_->AskToLeave();
      if (passed >= kEndAt && !std::exchange(killed_, true)) {
        LogWarning("the program does not leave within --kill-timeout, and is killed");
        program_->Kill();
      }
    }
    context_->After(kLook, [this] { LookAtDrain(); });
  }
  void ArmHangLook() {
    const auto period = absl::ToChronoMilliseconds(hang_watch_.period());
    context_->After(std::max(period, kLook), [this] {
      if (serving_ && !hung_) LookForHang();
      ArmHangLook();
    });
  }
  void LookForHang() {
    if (question_->Look(program_->endpoint())) hang_watch_.Alive();
    switch (hang_watch_.Look(MonotonicNow(), front_.answers_begun())) {
      case HangWatch::Verdict::kWell:
        return;
      case HangWatch::Verdict::kAsk:
        question_->Put();
        question_->Look(program_->endpoint());
        return;
      case HangWatch::Verdict::kHung:
        hung_ = true;
        LogWarning(absl::StrCat("the program ", HangText()));
        program_->Kill();
        return;
    }
  }
  std::string HangText() const {
    return absl::StrCat("has begun no answer within --hang-timeout=",
                        absl::FormatDuration(program_options_.hang_timeout), ", not to GET ",
                        program_options_.probe_path, " either, and was killed");
  }

  const exec::LaunchOptions& program_options_;
  Outcome& outcome_;
  Front front_;
  worker::Service* service_ = nullptr;
  worker::GatewayLoop* loop_ = nullptr;
  SiteChoice::Where where_ = SiteChoice::Where::kListen;
  uint32_t last_claim_ = 0;  // of all programs, one after the other
  app::Context* context_ = nullptr;
  const Fd epoll_{epoll_create1(EPOLL_CLOEXEC)};
  Fd offspring_;
  std::optional<ProgramProcess> program_;
  std::optional<Question> question_;
  HangWatch hang_watch_;
  const bool hangs_matter_;
  bool hang_look_armed_ = false;
  bool hung_ = false;     // the program that runs
  bool ready_ = false;    // the worker has been, once
  bool serving_ = false;  // the program
  bool served_ = false;   // the program that has ended did
  bool look_armed_ = false;
  bool killed_ = false;  // at the end of the drain's time
  int64_t drain_began_ns_ = 0;
  int64_t drain_ns_ = 0;  // 0: it is not known
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
