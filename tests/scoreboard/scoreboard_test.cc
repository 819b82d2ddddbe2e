#include "core/scoreboard/scoreboard.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "core/base/fd.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace uc::scoreboard {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class ScoreboardTest : public testing::Test {
 protected:
  ScoreboardTest() {
    std::string pattern = absl::StrCat(testing::TempDir(), "/scoreboard-XXXXXX");
    directory_ = mkdtemp(pattern.data());
    path_ = directory_ + "/scoreboard";
  }
  ~ScoreboardTest() override {
    unlink(path_.c_str());
    unlink((path_ + ".new").c_str());
    unlink(ReportsPath(path_).c_str());
    unlink((ReportsPath(path_) + ".new").c_str());
    rmdir(directory_.c_str());
  }

  // Cuts a file short, as whoever may write it can.
  void Cut(const std::string& path, off_t bytes) { ASSERT_EQ(truncate(path.c_str(), bytes), 0); }
  off_t Size(const std::string& path) const {
    struct stat status;
    return stat(path.c_str(), &status) == 0 ? status.st_size : -1;
  }
  std::string reports_path() const { return ReportsPath(path_); }
  ReportsMapping Attach(const Scoreboard& board) {
    return ReportsMapping::Attach(board.reports_fd().Duplicate()).value();
  }

  Scoreboard Create() { return Scoreboard::Create(path_).value(); }
  void WriteFile(const std::string& bytes) {
    const Fd file(open(path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    ASSERT_EQ(write(file.get(), bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  }
  bool Exists(const std::string& path) const { return access(path.c_str(), F_OK) == 0; }

  // Refused for readers, and for a coordinator that goes on, with a text that names the file.
  void ExpectRefused(const std::string& because) {
    const absl::Status reader = Scoreboard::OpenReadOnly(path_).status();
    EXPECT_EQ(reader.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(std::string(reader.message()), AllOf(HasSubstr(path_), HasSubstr(because)));
    EXPECT_EQ(Scoreboard::OpenAgain(path_).status(), reader);
  }

  std::string directory_;
  std::string path_;
};

TEST_F(ScoreboardTest, ReaderSeesWhatTheCoordinatorWrites) {
  Scoreboard board = Create();
  const auto reader = Scoreboard::OpenReadOnly(path_);
  ASSERT_TRUE(reader.ok()) << reader.status();
  board.layout().header.workers_wanted = 7;
  board.layout().slots[kSlotsMax - 1].wanted = 1;
  EXPECT_EQ(reader->layout().header.workers_wanted, 7u);
  EXPECT_EQ(reader->layout().slots[kSlotsMax - 1].wanted, 1u);
}

TEST_F(ScoreboardTest, CoordinatorSeesWhatAWorkerCounts) {
  const Scoreboard board = Create();
  ReportsMapping worker = Attach(board);
  Add(worker.row(kWorkerRows - 1).counters.requests, 3);
  EXPECT_EQ(board.layout().reports.rows[kWorkerRows - 1].counters.requests, 3u);
  EXPECT_EQ(
      Scoreboard::OpenReadOnly(path_)->layout().reports.rows[kWorkerRows - 1].counters.requests,
      3u);
}

TEST_F(ScoreboardTest, NewOneIsZeroAndSaysWhatItIs) {
  const Scoreboard board = Create();
  const Header& header = board.layout().header;
  EXPECT_EQ(header.magic, kMagic);
  EXPECT_EQ(header.version, kLayoutVersion);
  EXPECT_EQ(header.header_bytes, sizeof(Header));
  EXPECT_EQ(header.file_bytes, kBoardBytes);
  EXPECT_EQ(ReadTotals(board.layout()).accepted, 0u);
}

TEST_F(ScoreboardTest, FilesArePrivateReservedAndHaveNoDraftLeft) {
  const Scoreboard board = Create();
  for (const auto& [path, bytes] :
       {std::pair{path_, kBoardBytes}, std::pair{reports_path(), sizeof(Reports)}}) {
    struct stat status;
    ASSERT_EQ(stat(path.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777, 0600u);
    EXPECT_EQ(static_cast<size_t>(status.st_size), bytes);
    EXPECT_GE(static_cast<size_t>(status.st_blocks) * 512, bytes);
    EXPECT_FALSE(Exists(path + ".new"));
  }
}

// What workers get reaches their reports, and nothing that a coordinator signals by.
TEST_F(ScoreboardTest, WorkersFileHasNothingOfTheCoordinators) {
  Scoreboard board = Create();
  board.layout().workers[9].pid = 5;
  struct stat ours, theirs;
  ASSERT_EQ(fstat(board.fd().get(), &ours), 0);
  ASSERT_EQ(fstat(board.reports_fd().get(), &theirs), 0);
  EXPECT_NE(ours.st_ino, theirs.st_ino);
  const std::string noise(sizeof(Reports), 'x');
  ASSERT_EQ(pwrite(board.reports_fd().get(), noise.data(), noise.size(), 0),
            static_cast<ssize_t>(noise.size()));
  EXPECT_EQ(board.layout().workers[9].pid, 5);
  EXPECT_EQ(board.layout().header.version, kLayoutVersion);
  EXPECT_TRUE(Scoreboard::OpenReadOnly(path_).ok()) << "whatever a worker does to its file";
  EXPECT_TRUE(Scoreboard::OpenAgain(path_).ok());
  Attach(board);
}

TEST_F(ScoreboardTest, CreateReplacesTheOldOneUnderItsReaders) {
  Scoreboard old = Create();
  old.layout().header.workers_wanted = 5;
  const auto reader = Scoreboard::OpenReadOnly(path_);
  const Scoreboard fresh = Create();
  EXPECT_EQ(reader->layout().header.workers_wanted, 5u);
  EXPECT_EQ(Scoreboard::OpenReadOnly(path_)->layout().header.workers_wanted, 0u);
}

TEST_F(ScoreboardTest, DraftLeftByACrashIsNoObstacle) {
  const Fd draft(open((path_ + ".new").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0400));
  EXPECT_TRUE(Scoreboard::Create(path_).ok());
}

TEST_F(ScoreboardTest, MovedOneStaysMapped) {
  Scoreboard board = Create();
  Scoreboard moved = std::move(board);
  moved.layout().header.rolling = 1;
  moved = Create();
  EXPECT_EQ(moved.layout().header.rolling, 0u);
}

TEST_F(ScoreboardTest, NoFileIsNotFound) {
  const absl::Status status = Scoreboard::OpenReadOnly(path_).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), HasSubstr(path_));
}

TEST_F(ScoreboardTest, EmptyFileIsRefused) {
  WriteFile("");
  ExpectRefused("is not a scoreboard");
}

TEST_F(ScoreboardTest, ForeignFilesAreRefused) {
  WriteFile("#!/bin/sh\n");
  ExpectRefused("is not a scoreboard");
  WriteFile(std::string(kBoardBytes, 'x'));
  ExpectRefused("is not a scoreboard");
}

TEST_F(ScoreboardTest, DirectoryIsRefused) {
  const absl::Status status = Scoreboard::OpenReadOnly(directory_).status();
  EXPECT_FALSE(status.ok());
  EXPECT_THAT(std::string(status.message()), HasSubstr(directory_));
}

TEST_F(ScoreboardTest, TruncatedFileIsRefused) {
  Create();
  for (const off_t size : {off_t{kBoardBytes} - 1, off_t{sizeof(Header)}, off_t{16}}) {
    ASSERT_EQ(truncate(path_.c_str(), size), 0);
    ExpectRefused("is cut short");
  }
  ASSERT_EQ(truncate(path_.c_str(), 15), 0);
  ExpectRefused("is not a scoreboard");
}

TEST_F(ScoreboardTest, OtherVersionIsRefusedByItsNumber) {
  Create().layout().header.version = kLayoutVersion + 1;
  ExpectRefused(absl::StrCat("version ", kLayoutVersion + 1));
}

TEST_F(ScoreboardTest, WorkerOfAnotherVersionIsRefusedByItsNumber) {
  Scoreboard board = Create();
  board.layout().reports.head.version = kLayoutVersion + 1;
  const absl::Status status = ReportsMapping::Attach(board.reports_fd().Duplicate()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr(absl::StrCat("version ", kLayoutVersion + 1)));
}

TEST_F(ScoreboardTest, ReportsThatAreMissingCostFiguresOnly) {
  Scoreboard former = Create();
  former.layout().workers[9].pid = 5;
  former.layout().reports.rows[9].idle = 3;
  unlink(reports_path().c_str());
  EXPECT_EQ(Scoreboard::OpenReadOnly(path_)->layout().reports.rows[9].idle, 0u);
  EXPECT_FALSE(Exists(reports_path())) << "a reader makes nothing";
  const absl::StatusOr<Scoreboard> again = Scoreboard::OpenAgain(path_);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_THAT(again->reports_trouble(), AllOf(HasSubstr(reports_path()), HasSubstr("is missing")));
  EXPECT_EQ(again->layout().workers[9].pid, 5);
  EXPECT_EQ(Size(reports_path()), static_cast<off_t>(sizeof(Reports)));
  Attach(*again).row(9).idle = 4;
  EXPECT_EQ(Scoreboard::OpenReadOnly(path_)->layout().reports.rows[9].idle, 4u);
  EXPECT_EQ(Scoreboard::OpenAgain(path_)->reports_trouble(), "");
}

TEST_F(ScoreboardTest, ReportsThatAreNotToBeTrustedAreReplaced) {
  Create();
  const std::string other = directory_ + "/other";
  const auto expect_replaced = [&](absl::string_view because) {
    EXPECT_FALSE(Scoreboard::OpenReadOnly(path_).ok()) << because;
    const absl::StatusOr<Scoreboard> again = Scoreboard::OpenAgain(path_);
    ASSERT_TRUE(again.ok()) << again.status();
    EXPECT_THAT(again->reports_trouble(), HasSubstr(because));
    EXPECT_TRUE(Scoreboard::OpenReadOnly(path_).ok());
  };
  ASSERT_EQ(chmod(reports_path().c_str(), 0666), 0);
  expect_replaced("others may write it");
  unlink(reports_path().c_str());
  ASSERT_EQ(mkfifo(reports_path().c_str(), 0600), 0);
  expect_replaced("is no regular file");
  unlink(reports_path().c_str());
  ASSERT_EQ(symlink(other.c_str(), reports_path().c_str()), 0);
  expect_replaced("is a symbolic link");
  EXPECT_FALSE(Exists(other));
}

TEST_F(ScoreboardTest, ReportsThatCannotBeReplacedAreNamed) {
  Create();
  unlink(reports_path().c_str());
  ASSERT_EQ(mkdir(reports_path().c_str(), 0700), 0);
  const absl::Status status = Scoreboard::OpenAgain(path_).status();
  EXPECT_THAT(std::string(status.message()), HasSubstr(reports_path()));
  rmdir(reports_path().c_str());
}

TEST_F(ScoreboardTest, WhatOthersMayWriteIsNotBelieved) {
  Create();
  ASSERT_EQ(chmod(path_.c_str(), 0622), 0);
  EXPECT_TRUE(absl::IsPermissionDenied(Scoreboard::OpenReadOnly(path_).status()));
  EXPECT_TRUE(absl::IsPermissionDenied(Scoreboard::OpenAgain(path_).status()));
  ASSERT_EQ(chmod(path_.c_str(), 0600), 0);
  if (chown(path_.c_str(), 65534, 65534) != 0) {
    GTEST_SKIP() << "no file can be given away here: not root, or alone in its user namespace";
  }
  EXPECT_TRUE(absl::IsPermissionDenied(Scoreboard::OpenReadOnly(path_).status()));
  EXPECT_TRUE(absl::IsPermissionDenied(Scoreboard::OpenAgain(path_).status()));
}

TEST_F(ScoreboardTest, ReportsThatWereCutShortCostFiguresOnly) {
  Create().layout().workers[9].pid = 5;
  Cut(reports_path(), 0);
  EXPECT_EQ(Scoreboard::OpenReadOnly(path_)->layout().reports.rows[9].idle, 0u);
  EXPECT_EQ(Size(reports_path()), 0) << "a reader writes nothing";
  EXPECT_EQ(Scoreboard::OpenAgain(path_)->layout().workers[9].pid, 5);
  EXPECT_EQ(Size(reports_path()), static_cast<off_t>(sizeof(Reports)));
}

TEST_F(ScoreboardTest, NoRoomIsAnErrorAtCreateAndLeavesNoFile) {
  const pid_t child = fork();
  if (child == 0) {
    signal(SIGXFSZ, SIG_IGN);
    const rlimit limit = {1 << 20, 1 << 20};
    setrlimit(RLIMIT_FSIZE, &limit);
    const absl::Status status = Scoreboard::Create(path_).status();
    _exit(!status.ok() && status.message().find(path_) != std::string::npos ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_FALSE(Exists(path_));
  EXPECT_FALSE(Exists(path_ + ".new"));
  EXPECT_FALSE(Exists(reports_path()));
  EXPECT_FALSE(Exists(reports_path() + ".new"));
}

TEST_F(ScoreboardTest, NoFolderIsAnErrorThatNamesThePath) {
  const std::string path = directory_ + "/missing/scoreboard";
  EXPECT_THAT(std::string(Scoreboard::Create(path).status().message()), HasSubstr(path));
}

TEST_F(ScoreboardTest, FileThatCannotBeReplacedLeavesNoDraft) {
  ASSERT_EQ(mkdir(path_.c_str(), 0700), 0);
  EXPECT_FALSE(Scoreboard::Create(path_).ok());
  EXPECT_FALSE(Exists(path_ + ".new"));
  rmdir(path_.c_str());
}

class TextTest : public testing::Test {
 protected:
  std::string Through(const std::string& text) {
    SetText(field_, sizeof(field_), text);
    return std::string(GetText(field_, sizeof(field_)));
  }
  char field_[8] = {'#', '#', '#', '#', '#', '#', '#', '#'};
};

TEST_F(TextTest, TextThatFitsComesBack) {
  EXPECT_EQ(Through("1234567"), "1234567");
  EXPECT_EQ(Through(""), "");
}

TEST_F(TextTest, LongTextIsCutToFitWithItsNul) {
  EXPECT_EQ(Through("12345678"), "1234567");
  EXPECT_EQ(field_[7], '\0');
}

TEST_F(TextTest, ShorterTextLeavesNothingOfTheOldOne) {
  Through("1234567");
  EXPECT_EQ(Through("ab"), "ab");
  EXPECT_EQ(std::string(field_, sizeof(field_)), std::string("ab\0\0\0\0\0\0", 8));
}

TEST_F(TextTest, FieldWithoutNulIsReadToItsEnd) {
  EXPECT_EQ(GetText(field_, sizeof(field_)), "########");
}

TEST_F(ScoreboardTest, ReportsThatAreCutShortGetTheirLengthBackAndEndNobody) {
  Scoreboard coordinator = Create();
  ReportsMapping worker = Attach(coordinator);
  for (const off_t bytes : {off_t{0}, off_t{5000}, static_cast<off_t>(sizeof(Reports) / 2)}) {
    worker.row(kWorkerRows - 1).counters.requests = 7;
    Cut(reports_path(), bytes);
    worker.row(kWorkerRows - 1).counters.requests = 8;
    EXPECT_EQ(Size(reports_path()), static_cast<off_t>(sizeof(Reports)));
    EXPECT_EQ(coordinator.layout().reports.rows[kWorkerRows - 1].counters.requests.load(), 8u);
  }
}

TEST_F(ScoreboardTest, FileThatIsCutShortGetsItsLengthBackAndEndsNobody) {
  Scoreboard coordinator = Create();
  for (const off_t bytes : {off_t{0}, off_t{5000}, static_cast<off_t>(kBoardBytes / 2)}) {
    Cut(path_, bytes);
    coordinator.layout().workers[kWorkerRows - 1].pid = 8;
    EXPECT_EQ(Size(path_), static_cast<off_t>(kBoardBytes));
    EXPECT_EQ(coordinator.layout().workers[kWorkerRows - 1].pid.load(), 8);
  }
}

TEST_F(ScoreboardTest, ReaderOfAFileThatIsCutShortReadsZeros) {
  Scoreboard coordinator = Create();
  coordinator.layout().workers[9].pid = 5;
  const Scoreboard reader = Scoreboard::OpenReadOnly(path_).value();
  EXPECT_EQ(reader.layout().workers[9].pid.load(), 5);
  Cut(path_, 0);
  EXPECT_EQ(reader.layout().workers[9].pid.load(), 0);
  EXPECT_EQ(Size(path_), 0) << "a reader writes nothing";
}

// Whoever cuts it again and again costs figures, not lives.
TEST_F(ScoreboardTest, FileThatIsCutShortForEverEndsNobody) {
  Scoreboard coordinator = Create();
  for (int i = 0; i < 1000; ++i) {
    Cut(path_, 0);
    Cut(reports_path(), 0);
    coordinator.layout().workers[9].pid = i;
    coordinator.layout().reports.rows[9].idle = static_cast<uint32_t>(i);
  }
  EXPECT_EQ(coordinator.layout().workers[9].pid.load(), 999);
  EXPECT_EQ(coordinator.layout().reports.rows[9].idle.load(), 999u);
}

TEST_F(ScoreboardTest, OtherFilesThatAreCutShortEndTheProcessAsEver) {
  Scoreboard coordinator = Create();
  const std::string other = directory_ + "/other";
  const Fd fd(open(other.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  ASSERT_EQ(ftruncate(fd.get(), 4096), 0);
  void* const memory = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
  ASSERT_NE(memory, MAP_FAILED);
  ASSERT_EQ(ftruncate(fd.get(), 0), 0);
  EXPECT_DEATH(*static_cast<volatile char*>(memory) = 1, "");
  munmap(memory, 4096);
  unlink(other.c_str());
}

}  // namespace
}  // namespace uc::scoreboard
