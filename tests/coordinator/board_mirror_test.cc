#include "core/coordinator/board_mirror.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <utility>

#include "tests/coordinator/former_stage.h"

namespace uc::coordinator {
namespace {

constexpr policy::SlotIndex kSlots = 4;  // that exist

class BoardMirrorTest : public FormerStage {
 protected:
  void AddWorker(policy::Generation generation, uint32_t index) {
    WorkerProcess process;
    process.id = {index, generation};
    process.row = index;
    processes_.emplace(generation, std::move(process));
  }
  std::string path() const { return directory_ + "/scoreboard"; }
  // As a worker that has the former one mapped.
  scoreboard::ReportsMapping Mapped() {
    return scoreboard::ReportsMapping::Attach(board_->reports_fd().Duplicate()).value();
  }
  scoreboard::Scoreboard Reader() { return scoreboard::Scoreboard::OpenReadOnly(path()).value(); }

  Processes processes_;
  BoardMirror mirror_;
};

TEST_F(BoardMirrorTest, ReadersSeeAllThatWasAndWhatWorkersWriteLater) {
  AddWorker(7, 1);
  layout().header.workers_wanted = 3;
  Enter(1, 1, 7, getpid());
  report(1).counters.requests = 5;
  scoreboard::ReportsMapping mapped = Mapped();
  unlink(path().c_str());
  ASSERT_TRUE(mirror_.Move(path(), processes_, *board_).ok());
  const scoreboard::Scoreboard reader = Reader();
  EXPECT_EQ(reader.layout().header.workers_wanted.load(), 3u);
  EXPECT_EQ(reader.layout().reports.rows[1].counters.requests.load(), 5u);
  mapped.row(1).counters.requests = 6;
  mapped.row(1).heartbeat_ns = 99;
  mirror_.Refresh(processes_, kSlots, *board_);
  EXPECT_EQ(reader.layout().reports.rows[1].counters.requests.load(), 6u);
  EXPECT_EQ(reader.layout().reports.rows[1].heartbeat_ns.load(), 99);
  EXPECT_EQ(reader.layout().workers[1].pid.load(), getpid());
}

TEST_F(BoardMirrorTest, WorkersBornLaterWriteIntoTheNewOne) {
  AddWorker(7, 1);
  scoreboard::ReportsMapping mapped = Mapped();
  ASSERT_TRUE(mirror_.Move(path(), processes_, *board_).ok());
  AddWorker(8, 2);
  report(2).counters.requests = 4;
  mapped.row(2).counters.requests = 1;
  mirror_.Refresh(processes_, kSlots, *board_);
  EXPECT_EQ(report(2).counters.requests.load(), 4u);
}

TEST_F(BoardMirrorTest, RowOfAWorkerThatHasGoneIsNotCopiedAnyMore) {
  AddWorker(7, 1);
  scoreboard::ReportsMapping mapped = Mapped();
  ASSERT_TRUE(mirror_.Move(path(), processes_, *board_).ok());
  processes_.clear();
  mirror_.Refresh(processes_, kSlots, *board_);
  AddWorker(7, 1);
  mapped.row(1).counters.requests = 9;
  mirror_.Refresh(processes_, kSlots, *board_);
  EXPECT_EQ(report(1).counters.requests.load(), 0u);
}

TEST_F(BoardMirrorTest, TwiceCleanedIsTwiceMoved) {
  AddWorker(7, 1);
  scoreboard::ReportsMapping first = Mapped();
  ASSERT_TRUE(mirror_.Move(path(), processes_, *board_).ok());
  AddWorker(8, 2);
  scoreboard::ReportsMapping second = Mapped();
  ASSERT_TRUE(mirror_.Move(path(), processes_, *board_).ok());
  first.row(1).counters.requests = 1;
  second.row(2).counters.requests = 2;
  mirror_.Refresh(processes_, kSlots, *board_);
  const scoreboard::Scoreboard reader = Reader();
  EXPECT_EQ(reader.layout().reports.rows[1].counters.requests.load(), 1u);
  EXPECT_EQ(reader.layout().reports.rows[2].counters.requests.load(), 2u);
}

TEST_F(BoardMirrorTest, WhereNoneCanBeMadeTheFormerGoesOn) {
  layout().header.workers_wanted = 3;
  EXPECT_FALSE(mirror_.Move(directory_ + "/absent/scoreboard", processes_, *board_).ok());
  EXPECT_EQ(layout().header.workers_wanted.load(), 3u);
}

TEST_F(BoardMirrorTest, WhatWasCutOffOrOverwrittenIsSetRightAtTheNextLook) {
  AddWorker(7, 1);
  layout().header.workers_wanted = 3;
  layout().header.started_ns = 5;
  scoreboard::SetText(layout().header.command_line, sizeof(layout().header.command_line), "hello");
  Enter(1, 1, 7, getpid());
  mirror_.Refresh(processes_, kSlots, *board_);
  for (const off_t bytes :
       {off_t{0}, off_t{4096}, static_cast<off_t>(scoreboard::kBoardBytes) - 1}) {
    ASSERT_EQ(truncate(path().c_str(), bytes), 0);
    EXPECT_TRUE(mirror_.Refresh(processes_, kSlots, *board_));
    EXPECT_FALSE(mirror_.Refresh(processes_, kSlots, *board_));
    const scoreboard::Scoreboard reader = Reader();
    EXPECT_EQ(reader.layout().header.workers_wanted.load(), 3u);
    EXPECT_STREQ(reader.layout().header.command_line, "hello");
    EXPECT_EQ(reader.layout().workers[1].generation.load(), 7u);
    EXPECT_EQ(reader.layout().workers[1].slot.load(), 1u);
  }
  memset(static_cast<void*>(&layout().header), 0xff, sizeof(scoreboard::Header));
  row(1).generation = 99;
  mirror_.Refresh(processes_, kSlots, *board_);
  EXPECT_EQ(Reader().layout().header.started_ns, 5);
  EXPECT_EQ(Reader().layout().workers[1].generation.load(), 7u);
}

// A take-over: the files were made anew, and the workers that are there have the former ones.
TEST_F(BoardMirrorTest, WorkersOfACoordinatorBeforeAreFollowedIntoTheirFile) {
  AddWorker(7, 1);
  AddWorker(8, 2);
  AddWorker(9, 3);
  scoreboard::ReportsMapping theirs = Mapped();
  scoreboard::Scoreboard fresh = scoreboard::Scoreboard::Create(path()).value();
  fresh.layout().reports.rows[1].heartbeat_ns = 1;
  mirror_.Follow({1, 7}, 1, board_->reports_fd().Duplicate(), fresh);
  mirror_.Follow({2, 8}, 2, board_->reports_fd().Duplicate(), fresh);
  mirror_.Follow({3, 9}, 3, fresh.reports_fd().Duplicate(), fresh);
  theirs.row(1).heartbeat_ns = 99;
  theirs.row(2).counters.requests = 5;
  fresh.layout().reports.rows[3].counters.requests = 6;
  mirror_.Refresh(processes_, kSlots, fresh);
  EXPECT_EQ(fresh.layout().reports.rows[1].heartbeat_ns.load(), 99);
  EXPECT_EQ(fresh.layout().reports.rows[2].counters.requests.load(), 5u);
  EXPECT_EQ(fresh.layout().reports.rows[3].counters.requests.load(), 6u);
}

// A heartbeat that stands still would be a hang.
TEST_F(BoardMirrorTest, WhatAWorkerGivesAndIsNoFileOfReportsCostsItsFiguresOnly) {
  AddWorker(7, 1);
  const std::string other = directory_ + "/other";
  const auto follow = [&](Fd fd) {
    report(1).heartbeat_ns = 1;
    report(2).heartbeat_ns = 2;
    mirror_.Follow({1, 7}, 1, std::move(fd), *board_);
    mirror_.Refresh(processes_, kSlots, *board_);
    EXPECT_EQ(report(1).heartbeat_ns.load(), 0);
    EXPECT_EQ(report(2).heartbeat_ns.load(), 2);
  };
  follow(Fd());
  follow(Fd(open("/dev/null", O_RDWR | O_CLOEXEC)));
  follow(Fd(open("/proc/self/stat", O_RDONLY | O_CLOEXEC)));
  follow(Fd(open(directory_.c_str(), O_RDONLY | O_CLOEXEC)));
  follow(Fd(open(other.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)));
  ASSERT_EQ(truncate(other.c_str(), sizeof(scoreboard::Reports)), 0);
  follow(Fd(open(other.c_str(), O_RDWR | O_CLOEXEC)));
}

TEST_F(BoardMirrorTest, NoiseInWhatNeverChangesIsNoticed) {
  AddWorker(7, 1);
  scoreboard::Header& header = layout().header;
  scoreboard::SetText(header.addresses, sizeof(header.addresses), "127.0.0.1:80");
  mirror_.Refresh(processes_, kSlots, *board_);
  scoreboard::SetText(header.addresses, sizeof(header.addresses), "127.0.0.1:81");
  mirror_.Keep(*board_);
  EXPECT_FALSE(mirror_.Refresh(processes_, kSlots, *board_));
  header.addresses[0] = '9';
  EXPECT_TRUE(mirror_.Refresh(processes_, kSlots, *board_));
  EXPECT_STREQ(header.addresses, "127.0.0.1:81");
  header.program = 77;
  EXPECT_TRUE(mirror_.Refresh(processes_, kSlots, *board_));
  EXPECT_EQ(header.program.load(), 0u);
  layout().slots[900].wanted = 5;
  EXPECT_TRUE(mirror_.Refresh(processes_, kSlots, *board_));
  EXPECT_EQ(layout().slots[900].wanted.load(), 0u);
  row(1).state = 0;
  EXPECT_TRUE(mirror_.Refresh(processes_, kSlots, *board_));
  EXPECT_NE(FreeRow(layout()), 1u);
  EXPECT_FALSE(mirror_.Refresh(processes_, kSlots, *board_));
}

TEST_F(BoardMirrorTest, NoiseTakesNoRows) {
  AddWorker(7, 1);
  layout().header.started_ns = 5;
  Enter(1, 1, 7, getpid());
  mirror_.Refresh(processes_, kSlots, *board_);
  memset(static_cast<void*>(&layout()), 0x5a, scoreboard::kBoardBytes);
  ASSERT_EQ(FreeRow(layout()), std::nullopt);
  EXPECT_TRUE(mirror_.Refresh(processes_, kSlots, *board_));
  EXPECT_EQ(FreeRow(layout()), 0u);
  EXPECT_EQ(layout().workers[1].generation.load(), 7u);
  EXPECT_EQ(layout().workers[2].state.load(), 0u);
  EXPECT_EQ(scoreboard::ReadTotals(Reader().layout()).requests, 0u);
  EXPECT_EQ(layout().slots[3].restarts.load(), 0u);
  EXPECT_FALSE(mirror_.Refresh(processes_, kSlots, *board_));
  row(4).state = 2;
  EXPECT_TRUE(mirror_.Refresh(processes_, kSlots, *board_));
  EXPECT_EQ(row(4).state.load(), 0u);
}

}  // namespace
}  // namespace uc::coordinator
