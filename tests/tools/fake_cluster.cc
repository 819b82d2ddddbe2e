#include "tests/tools/fake_cluster.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "core/base/check.h"
#include "core/base/clock.h"
#include "core/link/channel.h"
#include "gtest/gtest.h"

namespace uc::tools {
namespace {

// One command of the control pipe, behind "@TICKET "; the ticket goes to `ticket`.
std::string NextCommand(int control, std::string* ticket) {
  static std::string text;
  size_t at;
  while ((at = text.find('@')) == std::string::npos || text.find('\n', at) == std::string::npos) {
    char bytes[4096];
    const ssize_t size = read(control, bytes, sizeof(bytes));
    if (size <= 0) _exit(8);
    text.append(bytes, static_cast<size_t>(size));
  }
  const size_t space = text.find(' ', at);
  const size_t end = text.find('\n', at);
  *ticket = text.substr(at + 1, space - at - 1);
  const std::string command = text.substr(space + 1, end - space - 1);
  text.erase(0, end + 1);
  return command;
}

[[noreturn]] void AnswerForEver(const std::string& directory, int control,
                                const std::string& reply) {
  for (;;) {
    std::string ticket;
    const std::string command = NextCommand(control, &ticket);
    const int fd = open((directory + "/replies/" + ticket).c_str(), O_WRONLY | O_CLOEXEC);
    const std::string text =
        reply.empty() ? " " : absl::StrReplaceAll(reply, {{"COMMAND", command}});
    if (write(fd, text.data(), text.size()) < 0) _exit(9);
    close(fd);
  }
}

}  // namespace

FakeCluster::FakeCluster() {
  std::string pattern = absl::StrCat(testing::TempDir(), "/fake-XXXXXX");
  base_ = mkdtemp(pattern.data());
  directory_ = base_ + "/web";
  UC_CHECK(mkdir(directory_.c_str(), 0700) == 0);
  UC_CHECK(mkdir((directory_ + "/replies").c_str(), 0700) == 0);
  UC_CHECK(mkdir((directory_ + "/doors").c_str(), 0700) == 0);
  UC_CHECK(mkfifo((directory_ + "/control").c_str(), 0600) == 0);
  std::ofstream(directory_ + "/lock") << "";
  board_.emplace(scoreboard::Scoreboard::Create(directory_ + "/scoreboard").value());
  scoreboard::Header& header = board_->layout().header;
  scoreboard::SetText(header.name, sizeof(header.name), "web");
  scoreboard::SetText(header.app, sizeof(header.app), "hello");
  header.started_ns = MonotonicNanos();
}

FakeCluster::~FakeCluster() {
  for (const pid_t child : children_) {
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
  }
  std::filesystem::remove_all(base_);
}

pid_t FakeCluster::Fork(int* ready) {
  int ends[2];
  UC_CHECK(pipe2(ends, O_CLOEXEC) == 0);
  const pid_t child = fork();
  UC_CHECK(child >= 0);
  if (child == 0) {
    close(ends[0]);
    *ready = ends[1];
    return 0;
  }
  children_.push_back(child);
  close(ends[1]);
  char byte;
  UC_CHECK(read(ends[0], &byte, 1) == 1);
  close(ends[0]);
  return child;
}

void FakeCluster::Coordinate(const std::string& reply) {
  int ready;
  if (Fork(&ready) > 0) return;
  const int lock = open((directory_ + "/lock").c_str(), O_RDWR | O_CLOEXEC);
  const int control = open((directory_ + "/control").c_str(), O_RDWR | O_CLOEXEC);
  std::ofstream(directory_ + "/pid") << getpid() << "\n";
  if (flock(lock, LOCK_EX | LOCK_NB) != 0 || write(ready, "x", 1) != 1) _exit(7);
  AnswerForEver(directory_, control, reply);
}

pid_t FakeCluster::Worker(uint32_t slot, WorkerOptions options) {
  Fd door;
  if (options.door == Door::kKept) {
    door = link::MakeDoor(absl::StrCat(directory_, "/doors/", slot + 1)).value();
  }
  int ready;
  const pid_t child = Fork(&ready);
  if (child == 0) {
    // SendCommand has blocked SIGTERM in this process, if an earlier test called it.
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    if (options.term == Term::kIgnored) signal(SIGTERM, SIG_IGN);
    if (door.valid()) link::KeepDoor(door);
    if (write(ready, "x", 1) != 1) _exit(7);
    for (;;) pause();
  }
  scoreboard::WorkerRow& row = board_->layout().workers[slot];
  row.slot = slot;
  row.generation = slot + 1;
  row.pid = child;
  row.state = static_cast<uint32_t>(scoreboard::RowState::kServing);
  return child;
}

int FakeCluster::EndedBy(pid_t child) {
  siginfo_t info = {};
  waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOHANG | WNOWAIT);
  return info.si_pid == child ? info.si_status : 0;
}

void FakeCluster::MakeUnreadable(const std::string& name) {
  std::filesystem::create_directory(base_ + "/" + name);
  std::ofstream(base_ + "/" + name + "/scoreboard", std::ios::trunc) << "not one of ours";
  std::ofstream(base_ + "/" + name + "/scoreboard.reports", std::ios::trunc) << "nor this";
}

}  // namespace uc::tools
