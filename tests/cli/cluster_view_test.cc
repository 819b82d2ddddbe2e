#include "tools/cluster_view.h"

#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "core/scoreboard/histogram.h"
#include "core/scoreboard/scoreboard.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace uc::tools {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr int64_t kSecond = 1'000'000'000;

class ClusterViewTest : public testing::Test {
 protected:
  ClusterViewTest() {
    std::string pattern = absl::StrCat(testing::TempDir(), "/view-XXXXXX");
    directory_ = mkdtemp(pattern.data());
    board_.emplace(scoreboard::Scoreboard::Create(directory_ + "/scoreboard").value());
    scoreboard::Header& header = board_->layout().header;
    scoreboard::SetText(header.name, sizeof(header.name), "web");
    scoreboard::SetText(header.addresses, sizeof(header.addresses), "127.0.0.1:80 [::1]:80");
    header.started_ns = 40 * kSecond;
  }
  ~ClusterViewTest() override { std::filesystem::remove_all(directory_); }

  scoreboard::WorkerRow& Worker(uint32_t row, uint32_t slot, uint32_t generation) {
    scoreboard::WorkerRow& worker = board_->layout().workers[row];
    worker.slot = slot;
    worker.generation = generation;
    worker.pid = 100;
    worker.state = static_cast<uint32_t>(scoreboard::RowState::kServing);
    return worker;
  }
  ClusterView View() { return ViewCluster(directory_, absl::FromUnixSeconds(100)).value(); }

  std::string directory_;
  std::optional<scoreboard::Scoreboard> board_;
};

TEST_F(ClusterViewTest, HeaderIsReadAndAnUnheldLockIsNoCoordinator) {
  const ClusterView view = View();
  EXPECT_EQ(view.name, "web");
  EXPECT_THAT(view.addresses, ElementsAre("127.0.0.1:80", "[::1]:80"));
  EXPECT_EQ(view.uptime_seconds, 60);
  EXPECT_FALSE(view.running);
}

TEST_F(ClusterViewTest, WorkerThatHasNoProcessYetIsNotShown) {
  Worker(0, 0, 1).pid = 0;
  EXPECT_TRUE(View().workers.empty());
}

TEST_F(ClusterViewTest, WorkersAreSortedBySlotAndGeneration) {
  Worker(0, 1, 5);
  Worker(9, 0, 7);
  Worker(3, 0, 6);
  const ClusterView view = View();
  ASSERT_EQ(view.workers.size(), 3u);
  EXPECT_EQ(view.workers[0].generation, 6u);
  EXPECT_EQ(view.workers[1].generation, 7u);
  EXPECT_EQ(view.workers[2].slot, 1u);
}

TEST_F(ClusterViewTest, WorkerSaysItsAgesAndConnections) {
  scoreboard::WorkerRow& worker = Worker(0, 0, 1);
  scoreboard::Report& report = board_->layout().reports.rows[0];
  worker.started_ns = 90 * kSecond;
  report.heartbeat_ns = 100 * kSecond - 5'000'000;
  report.counters.accepted = 5;
  report.counters.closed = 2;
  const WorkerView view = View().workers.at(0);
  EXPECT_EQ(view.state, "serving");
  EXPECT_EQ(view.uptime_seconds, 10);
  EXPECT_EQ(view.heartbeat_age_ms, 5);
  EXPECT_EQ(view.connections, 3u);
}

TEST_F(ClusterViewTest, ClockBehindTheRowsGivesNoNegativeAges) {
  Worker(0, 0, 1).started_ns = 200 * kSecond;
  board_->layout().reports.rows[0].counters.closed = 9;
  EXPECT_EQ(View().workers.at(0).uptime_seconds, 0);
  EXPECT_EQ(View().workers.at(0).connections, 0u);
}

TEST_F(ClusterViewTest, OnlyWantedSlotsAreShownWithTheirNextTry) {
  scoreboard::SlotRow& slot = board_->layout().slots[2];
  slot.wanted = 1;
  slot.quick_deaths = 3;
  slot.next_spawn_ns = 101 * kSecond;
  const ClusterView view = View();
  ASSERT_EQ(view.slots.size(), 1u);
  EXPECT_EQ(view.slots[0].slot, 2u);
  EXPECT_EQ(view.slots[0].next_spawn_in_ms, 1000);
  EXPECT_THAT(ToText(view), HasSubstr("slot 2 is not live, 3 quick deaths, next try in 1000ms"));
}

TEST_F(ClusterViewTest, TotalsIncludeTheDeparted) {
  Worker(0, 0, 1);
  board_->layout().reports.rows[0].counters.requests = 2;
  board_->layout().departed.requests = 40;
  EXPECT_EQ(View().totals.requests, 42u);
  EXPECT_THAT(ToJson(View()), HasSubstr("\"requests\": 42"));
}

TEST_F(ClusterViewTest, WhatAWorkerSaysReachesNoTerminalAsItIs) {
  scoreboard::SlotRow& slot = board_->layout().slots[2];
  slot.wanted = 1;
  slot.failed_ns = 1;
  scoreboard::SetText(slot.failure, sizeof(slot.failure), "\033]0;owned\007\033[31mpassword:");
  const std::string text = ToText(View());
  EXPECT_THAT(text, HasSubstr("owned"));
  EXPECT_EQ(text.find('\033'), std::string::npos);
  EXPECT_EQ(text.find('\007'), std::string::npos);
}

TEST_F(ClusterViewTest, BytesThatAreNoUtf8DoNotSpoilTheJson) {
  scoreboard::Header& header = board_->layout().header;
  scoreboard::SetText(header.app, sizeof(header.app), "static /srv/\xff\xfe\"\n");
  EXPECT_THAT(ToJson(View()), HasSubstr("static /srv/"));
  EXPECT_THAT(ToJson(View()), HasSubstr("\\\"\\n"));
}

TEST_F(ClusterViewTest, TableSaysThatTheCoordinatorIsGone) {
  Worker(0, 4, 1);
  EXPECT_THAT(ToTable({View()}), HasSubstr("web      coordinator gone"));
  EXPECT_THAT(ToTable({View()}), HasSubstr("LISTENS ON\n"));
}

TEST_F(ClusterViewTest, NoClusterIsNotFound) {
  const auto view = ViewCluster(directory_ + "/missing", absl::FromUnixSeconds(100));
  EXPECT_EQ(view.status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace uc::tools
