// Whoever changes a number here changes kLayoutVersion too: readers of another version map this file.
#include "core/scoreboard/layout.h"

#include <cstddef>

#include "gtest/gtest.h"

namespace uc::scoreboard {
namespace {

TEST(LayoutTest, MagicAndVersionArePinned) {
  EXPECT_EQ(kMagic, 0x64726f6273637275u);
  EXPECT_EQ(kLayoutVersion, 5u);
}

TEST(LayoutTest, HeaderBeginsWithMagicAndVersion) {
  EXPECT_EQ(offsetof(Header, magic), 0u);
  EXPECT_EQ(offsetof(Header, version), 8u);
  EXPECT_EQ(offsetof(Header, header_bytes), 12u);
  EXPECT_EQ(offsetof(Header, file_bytes), 16u);
}

TEST(LayoutTest, HeaderNumbersArePinned) {
  EXPECT_EQ(offsetof(Header, coordinator_pid), 24u);
  EXPECT_EQ(offsetof(Header, workers_wanted), 28u);
  EXPECT_EQ(offsetof(Header, newest_generation), 32u);
  EXPECT_EQ(offsetof(Header, coordinators), 36u);
  EXPECT_EQ(offsetof(Header, started_unix_ns), 40u);
  EXPECT_EQ(offsetof(Header, started_ns), 48u);
  EXPECT_EQ(offsetof(Header, fold_sequence), 56u);
  EXPECT_EQ(offsetof(Header, rolling), 60u);
  EXPECT_EQ(offsetof(Header, stopping), 64u);
  EXPECT_EQ(offsetof(Header, events_ignored), 72u);
}

TEST(LayoutTest, HeaderTextsArePinned) {
  EXPECT_EQ(offsetof(Header, name), 80u);
  EXPECT_EQ(offsetof(Header, app), 144u);
  EXPECT_EQ(offsetof(Header, addresses), 2192u);
  EXPECT_EQ(offsetof(Header, mode), 4240u);
  EXPECT_EQ(offsetof(Header, balance), 6288u);
  EXPECT_EQ(offsetof(Header, binary), 6352u);
  EXPECT_EQ(offsetof(Header, command_line), 8400u);
  EXPECT_EQ(offsetof(Header, claims), 12496u);
  EXPECT_EQ(offsetof(Header, program), 14544u);
  EXPECT_EQ(offsetof(Header, program_user), 14548u);
  EXPECT_EQ(sizeof(Header), 14552u);
}

TEST(LayoutTest, SlotRowsShareNoCacheLine) {
  EXPECT_EQ(alignof(SlotRow), 64u);
  EXPECT_EQ(sizeof(SlotRow), 384u);
  EXPECT_EQ(offsetof(SlotRow, stand_in), 8u);
  EXPECT_EQ(offsetof(SlotRow, restarts), 16u);
  EXPECT_EQ(offsetof(SlotRow, next_spawn_ns), 32u);
  EXPECT_EQ(offsetof(SlotRow, failed_ns), 48u);
  EXPECT_EQ(offsetof(SlotRow, failure), 56u);
}

TEST(LayoutTest, RowsAndReportsShareNoCacheLine) {
  EXPECT_EQ(alignof(WorkerRow), 64u);
  EXPECT_EQ(offsetof(WorkerRow, state), 0u);
  EXPECT_EQ(offsetof(WorkerRow, process_start), 16u);
  EXPECT_EQ(sizeof(WorkerRow), 64u);
  EXPECT_EQ(alignof(Report), 64u);
  EXPECT_EQ(offsetof(Report, heartbeat_ns), 0u);
  EXPECT_EQ(offsetof(Report, program_pid), 16u);
  EXPECT_EQ(offsetof(Report, accepting_pid), 20u);
  EXPECT_EQ(offsetof(Report, work_waits), 24u);
  EXPECT_EQ(offsetof(Report, counters), 64u);
  EXPECT_EQ(sizeof(Report), 2240u);
}

TEST(LayoutTest, CountersArePinned) {
  EXPECT_EQ(offsetof(Counters, taken_over), 16u);
  EXPECT_EQ(offsetof(Counters, handed_over), 24u);
  EXPECT_EQ(offsetof(Counters, requests), 32u);
  EXPECT_EQ(offsetof(Counters, accept_errors), 72u);
  EXPECT_EQ(offsetof(Counters, latency), 80u);
  EXPECT_EQ(sizeof(Counters), 80u + 8 * kLatencyBuckets);
}

TEST(LayoutTest, RowsFollowTheHeaderAndTheDepartedTheRows) {
  EXPECT_EQ(offsetof(Layout, slots), 14592u);
  EXPECT_EQ(offsetof(Layout, workers), 14592u + 384 * kSlotsMax);
  EXPECT_EQ(offsetof(Layout, departed), offsetof(Layout, workers) + 64 * kWorkerRows);
}

TEST(LayoutTest, ReportsAreAFileOfTheirOwnThatAnyPageSizeCanMap) {
  EXPECT_EQ(offsetof(Layout, reports) % 65536, 0u);
  EXPECT_EQ(kBoardBytes, offsetof(Layout, reports));
  EXPECT_EQ(offsetof(ReportsHead, version), 8u);
  EXPECT_EQ(offsetof(Reports, rows), 64u);
  EXPECT_EQ(sizeof(Reports), 64u + 2240 * kWorkerRows);
}

}  // namespace
}  // namespace uc::scoreboard
