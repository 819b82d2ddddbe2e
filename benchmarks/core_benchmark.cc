// What the pieces under a worker and its coordinator cost: a turn of the ring, receive buffers, the histogram, the
// scoreboard, the counts of steering, a share-out of connections, a step of the supervisor.
//   bazel run //benchmarks:core_benchmark
#include <liburing.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "benchmark/benchmark.h"
#include "core/base/check.h"
#include "core/base/fd.h"
#include "core/net/slot_load.h"
#include "core/policy/rebalance.h"
#include "core/policy/supervisor.h"
#include "core/ring/buffer_ring.h"
#include "core/ring/ring.h"
#include "core/scoreboard/histogram.h"
#include "core/scoreboard/scoreboard.h"

namespace uc {
namespace {

// The peer's send, one turn with a multishot receive, and the bytes' way back.
void BM_RingRoundTrip(benchmark::State& state) {
  const std::string bytes(static_cast<size_t>(state.range(0)), 'x');
  std::unique_ptr<ring::Ring> ring = ring::Ring::Create({}).value();
  int ends[2];
  UC_CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
  const Fd ours(ends[0]), peers(ends[1]);
  ring->ReceiveMultishot(ours.get(), {ring::Op::kReceive, 0, 0});
  for (auto _ : state) {
    UC_CHECK(send(peers.get(), bytes.data(), bytes.size(), 0) ==
             static_cast<ssize_t>(bytes.size()));
    // The end of a receive buffer may lie within.
    for (size_t got = 0; got < bytes.size();) {
      ring->Turn();
      ring::Completion completion;
      while (ring->Next(&completion)) {
        got += completion.data.size();
        ring->Consumed(completion);
        if (!completion.more) ring->ReceiveMultishot(ours.get(), completion.tag);
      }
    }
  }
  state.SetLabel(ring->description());
}
BENCHMARK(BM_RingRoundTrip)->Arg(170);

// A turn that brings nothing but its own submission: a poll of what is readable already.
void BM_RingTurn(benchmark::State& state) {
  std::unique_ptr<ring::Ring> ring = ring::Ring::Create({}).value();
  int ends[2];
  UC_CHECK(pipe(ends) == 0);
  const Fd reading(ends[0]), writing(ends[1]);
  UC_CHECK(write(writing.get(), "x", 1) == 1);
  for (auto _ : state) {
    ring->PollOnce(reading.get(), 1, {ring::Op::kWake, 0, 0});
    ring->Turn();
    ring::Completion completion;
    while (ring->Next(&completion)) ring->Consumed(completion);
  }
}
BENCHMARK(BM_RingTurn);

// Pieces of 170 bytes out of 64 KiB, and the buffer given back at its end.
void BM_BufferRing(benchmark::State& state) {
  constexpr uint32_t kSize = 64 * 1024, kPiece = 170;
  std::unique_ptr<ring::BufferRing> buffers =
      ring::BufferRing::Map(ring::BufferRing::Mode::kIncremental, 8, kSize);
  io_uring uring;
  UC_CHECK(io_uring_queue_init(8, &uring, 0) == 0);
  if (buffers->Register(&uring) != 0) {
    state.SkipWithError("no incremental buffer rings here (Linux 6.12)");
  }
  constexpr uint32_t kBufMore = 1u << 4;  // IORING_CQE_F_BUF_MORE
  uint32_t left = kSize;
  for (auto _ : state) {
    left -= kPiece;
    const uint32_t flags = IORING_CQE_F_BUFFER | (left < kPiece ? 0 : kBufMore);
    benchmark::DoNotOptimize(buffers->Take(flags, kPiece));
    buffers->Recycle(flags, kPiece);
    if (left < kPiece) left = kSize;
  }
  io_uring_queue_exit(&uring);
}
BENCHMARK(BM_BufferRing);

void BM_CountLatency(benchmark::State& state) {
  auto counters = std::make_unique<scoreboard::Counters>();
  uint64_t micros = 1;
  for (auto _ : state) {
    micros = micros * 5 % 1'000'003;
    scoreboard::Add(counters->latency[scoreboard::BucketOf(micros)], 1);
  }
}
BENCHMARK(BM_CountLatency);

// What `list` and the metrics do.
void BM_ReadTotals(benchmark::State& state) {
  auto layout = std::make_unique<scoreboard::Layout>();
  for (int64_t row = 0; row < state.range(0); ++row) {
    layout->workers[row].state = static_cast<uint32_t>(scoreboard::RowState::kServing);
    scoreboard::Add(layout->reports.rows[row].counters.requests, 7);
  }
  for (auto _ : state) benchmark::DoNotOptimize(scoreboard::ReadTotals(*layout).requests);
}
BENCHMARK(BM_ReadTotals)->Arg(2)->Arg(64);

// A connection's counts in the page that steering reads: accepted and ended. Each thread is a slot of its own; four of them
// share a cache line.
void BM_SlotLoad(benchmark::State& state) {
  static const Fd page(memfd_create("steering", MFD_CLOEXEC));  // in place of the map
  UC_CHECK(ftruncate(page.get(), sizeof(net::SteeringState)) == 0);
  const auto slot = static_cast<uint32_t>(state.thread_index());
  net::SlotLoad load = net::SlotLoad::Map(page, slot).value();
  for (auto _ : state) {
    load.Accepted(slot);
    load.Lost();
  }
}
BENCHMARK(BM_SlotLoad)->ThreadRange(1, 2);

// What an accept that finds nothing adds, and the look once in a while.
void BM_SlotLoadSeenEmpty(benchmark::State& state) {
  const Fd page(memfd_create("steering", MFD_CLOEXEC));
  UC_CHECK(ftruncate(page.get(), sizeof(net::SteeringState)) == 0);
  net::SlotLoad load = net::SlotLoad::Map(page, 0).value();
  for (auto _ : state) load.SeenEmpty();
  load.ForgetPending();
}
BENCHMARK(BM_SlotLoadSeenEmpty);

// A newcomer beside workers with a thousand connections each.
void BM_PlanRebalance(benchmark::State& state) {
  std::vector<policy::Load> loads;
  for (uint32_t slot = 0; slot < static_cast<uint32_t>(state.range(0)); ++slot) {
    loads.push_back({.worker = {slot, slot + 1}, .connections = slot == 0 ? 0 : 1000 + slot % 7});
  }
  for (auto _ : state) benchmark::DoNotOptimize(policy::PlanRebalance(loads));
}
BENCHMARK(BM_PlanRebalance)->Arg(4)->Arg(64);

// A look at a worker that is well: the event that comes most.
void BM_SupervisorStep(benchmark::State& state) {
  const absl::Time now = absl::UnixEpoch();
  policy::Supervisor supervisor({.workers = static_cast<uint32_t>(state.range(0))});
  std::vector<policy::WorkerId> workers;
  policy::Actions actions = supervisor.Start(now);
  while (!actions.empty()) {
    policy::Actions next;
    for (const policy::Action& action : actions) {
      const auto* spawn = std::get_if<policy::Spawn>(&action);
      if (spawn == nullptr) continue;
      workers.push_back(spawn->worker);
      for (const policy::Event& event : {policy::Event(policy::ListenersKept{spawn->worker.slot}),
                                         policy::Event(policy::WorkerReady{spawn->worker})}) {
        for (policy::Action& more : supervisor.Step(now, event)) next.push_back(std::move(more));
      }
    }
    actions = std::move(next);
  }
  UC_CHECK(workers.size() == static_cast<size_t>(state.range(0)));
  size_t turn = 0;
  for (auto _ : state) {
    const policy::HealthObserved well = {.worker = workers[turn++ % workers.size()]};
    benchmark::DoNotOptimize(supervisor.Step(now, well));
  }
}
BENCHMARK(BM_SupervisorStep)->Arg(2)->Arg(64);

}  // namespace
}  // namespace uc
