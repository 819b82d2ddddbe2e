// FormerStage: the run directory of a coordinator that has gone, and processes that play its workers.
#ifndef TESTS_COORDINATOR_FORMER_STAGE_H_
#define TESTS_COORDINATOR_FORMER_STAGE_H_

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/strings/str_cat.h"
#include "core/base/check.h"
#include "core/base/fd.h"
#include "core/coordinator/survivors.h"
#include "core/link/channel.h"
#include "core/scoreboard/process_start.h"
#include "core/scoreboard/scoreboard.h"
#include "gtest/gtest.h"

namespace uc::coordinator {

class FormerStage : public testing::Test {
 protected:
  FormerStage() {
    std::string pattern = absl::StrCat(testing::TempDir(), "/former-XXXXXX");
    directory_ = mkdtemp(pattern.data());
    mkdir((directory_ + "/doors").c_str(), 0700);
    board_.emplace(scoreboard::Scoreboard::Create(directory_ + "/scoreboard").value());
    scoreboard::SetText(layout().header.name, sizeof(layout().header.name), "web");
  }
  ~FormerStage() override {
    for (const pid_t child : children_) {
      kill(child, SIGKILL);
      waitpid(child, nullptr, 0);
    }
    std::filesystem::remove_all(directory_);
  }

  scoreboard::Layout& layout() { return board_->layout(); }
  scoreboard::WorkerRow& row(uint32_t index) { return layout().workers[index]; }

  scoreboard::Report& report(uint32_t index) { return layout().reports.rows[index]; }

  // A process that does this and then waits for signals; it is there when this returns.
  pid_t Play(absl::FunctionRef<void()> part) {
    int ends[2];
    UC_CHECK(pipe2(ends, O_CLOEXEC) == 0);
    const pid_t child = fork();
    if (child == 0) {
      part();
      if (write(ends[1], "x", 1) == 1) {
        for (;;) pause();
      }
      _exit(1);
    }
    char byte;
    UC_CHECK(read(ends[0], &byte, 1) == 1);
    close(ends[0]);
    close(ends[1]);
    children_.push_back(child);
    return child;
  }
  // Keeps a door, as a worker from its first word on.
  pid_t Keeper(policy::Generation generation) {
    const Fd door = link::MakeDoor(DoorPath(directory_, generation)).value();
    return Play([&] { link::KeepDoor(door); });
  }
  // Keeps its door and greets whoever knocks first.
  pid_t Greeter(policy::Generation generation, link::Hello hello) {
    const Fd door = link::MakeDoor(DoorPath(directory_, generation)).value();
    const pid_t child = fork();
    if (child == 0) {
      link::KeepDoor(door);
      std::optional<Fd> visitor;
      while (!visitor.has_value()) visitor = link::AnswerDoor(door);
      link::Channel channel(*std::move(visitor));
      UC_CHECK(channel.Send(hello, {STDERR_FILENO, board_->reports_fd().get()}).ok());
      UC_CHECK(channel.Send(link::HelloEnd{}).ok());
      for (;;) pause();
    }
    children_.push_back(child);
    return child;
  }
  void Enter(uint32_t index, uint32_t slot, policy::Generation generation, pid_t pid) {
    row(index).slot = slot;
    row(index).generation = generation;
    row(index).process_start = scoreboard::ProcessStart(pid);
    row(index).pid = pid;
    row(index).state = static_cast<uint32_t>(scoreboard::RowState::kServing);
  }
  bool Lives(pid_t child) { return waitpid(child, nullptr, WNOHANG) == 0; }
  int EndedBy(pid_t child) {
    int status = 0;
    return waitpid(child, &status, WNOHANG) == child && WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  }

  std::string directory_;
  std::optional<scoreboard::Scoreboard> board_;
  std::vector<pid_t> children_;
};

}  // namespace uc::coordinator

#endif  // TESTS_COORDINATOR_FORMER_STAGE_H_
