#include <atomic>
#include <memory>
#include <thread>

#include "core/scoreboard/histogram.h"
#include "core/scoreboard/scoreboard.h"
#include "gtest/gtest.h"

namespace uc::scoreboard {
namespace {

class TotalsTest : public testing::Test {
 protected:
  void Serve(uint32_t row) {
    layout_->workers[row].state.store(static_cast<uint32_t>(RowState::kServing));
  }
  Counters& CountersOf(uint32_t row) { return layout_->reports.rows[row].counters; }

  std::unique_ptr<Layout> layout_ = std::make_unique<Layout>();
};

TEST_F(TotalsTest, AddUpAllRowsInUseAndTheDeparted) {
  for (const uint32_t row : {0u, 5u, kWorkerRows - 1}) {
    Serve(row);
    Add(CountersOf(row).requests, 10);
  }
  Add(layout_->departed.requests, 100);
  EXPECT_EQ(ReadTotals(*layout_).requests, 130u);
}

TEST_F(TotalsTest, FreeRowsDoNotCount) {
  Add(CountersOf(3).requests, 10);
  EXPECT_EQ(ReadTotals(*layout_).requests, 0u);
}

TEST_F(TotalsTest, FoldKeepsEveryCounter) {
  Serve(1);
  Counters& counters = CountersOf(1);
  uint64_t value = 1;
  for (std::atomic<uint64_t>* counter :
       {&counters.accepted, &counters.closed, &counters.requests, &counters.bytes_in,
        &counters.bytes_out, &counters.responses_5xx, &counters.bad_requests,
        &counters.accept_errors, &counters.latency[0], &counters.latency[kLatencyBuckets - 1]}) {
    Add(*counter, value++);
  }
  FoldAndFree(*layout_, 1);
  const Totals totals = ReadTotals(*layout_);
  EXPECT_EQ(totals.accepted, 1u);
  EXPECT_EQ(totals.closed, 2u);
  EXPECT_EQ(totals.requests, 3u);
  EXPECT_EQ(totals.bytes_in, 4u);
  EXPECT_EQ(totals.bytes_out, 5u);
  EXPECT_EQ(totals.responses_5xx, 6u);
  EXPECT_EQ(totals.bad_requests, 7u);
  EXPECT_EQ(totals.accept_errors, 8u);
  EXPECT_EQ(totals.latency[0], 9u);
  EXPECT_EQ(totals.latency[kLatencyBuckets - 1], 10u);
}

TEST_F(TotalsTest, FoldFreesAndZeroesTheRow) {
  WorkerRow& row = layout_->workers[1];
  Report& report = layout_->reports.rows[1];
  Serve(1);
  row.pid = 99;
  report.heartbeat_ns = 1;
  report.in_flight = 2;
  report.idle = 3;
  Add(report.counters.requests, 5);
  FoldAndFree(*layout_, 1);
  EXPECT_EQ(row.state, static_cast<uint32_t>(RowState::kFree));
  EXPECT_EQ(row.pid, 0);
  EXPECT_EQ(report.heartbeat_ns, 0);
  EXPECT_EQ(report.in_flight + report.idle, 0u);
  EXPECT_EQ(Read(report.counters).requests, 0u);
}

TEST_F(TotalsTest, SecondFoldCountsNothingTwice) {
  Serve(1);
  Add(CountersOf(1).requests, 5);
  FoldAndFree(*layout_, 1);
  FoldAndFree(*layout_, 1);
  EXPECT_EQ(ReadTotals(*layout_).requests, 5u);
  EXPECT_EQ(layout_->header.fold_sequence % 2, 0u);
}

TEST_F(TotalsTest, FoldThatNeverEndedDoesNotHangReaders) {
  layout_->header.fold_sequence = 1;
  Add(layout_->departed.requests, 5);
  EXPECT_EQ(ReadTotals(*layout_).requests, 5u);
}

// The folder lets the reader finish a turn between its folds and then waits a different while: folds hit
// reads at every point.
TEST_F(TotalsTest, NeverGoDownWhileOneCountsAndOneFolds) {
  constexpr uint64_t kTurns = 100;
  std::atomic<bool> over = false;
  std::atomic<uint64_t> reads = 0;
  Serve(0);
  std::thread counter([&] {
    for (uint64_t i = 0; !over && i < 100'000'000; ++i) Add(CountersOf(0).requests, 1);
  });
  std::thread folder([&] {
    for (uint64_t turn = 0; turn < kTurns; ++turn) {
      const uint32_t row = 1 + static_cast<uint32_t>(turn * 41 % (kWorkerRows - 1));
      Add(CountersOf(row).requests, 1'000'000'000);
      Serve(row);
      const uint64_t seen = reads;
      while (reads == seen) std::this_thread::yield();
      for (uint64_t i = 0; i < turn * 997 % 10'000; ++i) Add(CountersOf(row).bytes_in, 1);
      FoldAndFree(*layout_, row);
    }
    over = true;
  });
  uint64_t last = 0;
  int falls = 0;
  for (; !over; ++reads) {
    const uint64_t now = ReadTotals(*layout_).requests;
    falls += now < last;
    last = now;
  }
  folder.join();
  counter.join();
  EXPECT_EQ(falls, 0);
  EXPECT_EQ(ReadTotals(*layout_).requests / 1'000'000'000, kTurns);
}

}  // namespace
}  // namespace uc::scoreboard
