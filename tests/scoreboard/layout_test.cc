// Whoever changes a number here changes kLayoutVersion too: readers of another version map this file.
#include "core/scoreboard/layout.h"

#include <cstddef>

#include "gtest/gtest.h"

namespace uc::scoreboard {
namespace {

TEST(LayoutTest, MagicAndVersionArePinned) {
  EXPECT_EQ(kMagic, 0x64726f6273637275u);
  EXPECT_EQ(kLayoutVersion, 1u);
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
  EXPECT_EQ(offsetof(Header, started_unix_ns), 32u);
  EXPECT_EQ(offsetof(Header, started_ns), 40u);
  EXPECT_EQ(offsetof(Header, fold_sequence), 48u);
  EXPECT_EQ(offsetof(Header, rolling), 52u);
  EXPECT_EQ(offsetof(Header, stopping), 56u);
  EXPECT_EQ(offsetof(Header, events_ignored), 64u);
}

TEST(LayoutTest, HeaderTextsArePinned) {
  EXPECT_EQ(offsetof(Header, name), 72u);
  EXPECT_EQ(offsetof(Header, app), 136u);
  EXPECT_EQ(offsetof(Header, addresses), 2184u);
  EXPECT_EQ(offsetof(Header, mode), 4232u);
  EXPECT_EQ(offsetof(Header, binary), 6280u);
  EXPECT_EQ(offsetof(Header, command_line), 8328u);
  EXPECT_EQ(sizeof(Header), 12424u);
}

TEST(LayoutTest, SlotRowIsOneCacheLine) {
  EXPECT_EQ(alignof(SlotRow), 64u);
  EXPECT_EQ(sizeof(SlotRow), 64u);
  EXPECT_EQ(offsetof(SlotRow, restarts), 8u);
  EXPECT_EQ(offsetof(SlotRow, next_spawn_ns), 24u);
}

TEST(LayoutTest, WritersOfAWorkerRowShareNoCacheLine) {
  EXPECT_EQ(alignof(WorkerRow), 64u);
  EXPECT_EQ(offsetof(WorkerRow, state), 0u);
  EXPECT_EQ(offsetof(WorkerRow, heartbeat_ns), 64u);
  EXPECT_EQ(offsetof(WorkerRow, counters), 128u);
  EXPECT_EQ(sizeof(WorkerRow), 2240u);
}

TEST(LayoutTest, CountersArePinned) {
  EXPECT_EQ(offsetof(Counters, requests), 16u);
  EXPECT_EQ(offsetof(Counters, accept_errors), 56u);
  EXPECT_EQ(offsetof(Counters, latency), 64u);
  EXPECT_EQ(sizeof(Counters), 64u + 8 * kLatencyBuckets);
}

TEST(LayoutTest, RowsFollowTheHeaderAndTheLastIsOfTheDeparted) {
  EXPECT_EQ(offsetof(Layout, slots), 12480u);
  EXPECT_EQ(offsetof(Layout, workers), 12480u + 64 * kSlotsMax);
  EXPECT_EQ(sizeof(Layout), 12480u + 64 * kSlotsMax + 2240 * (kWorkerRows + 1));
  EXPECT_EQ(kDepartedRow, kWorkerRows);
}

}  // namespace
}  // namespace uc::scoreboard
