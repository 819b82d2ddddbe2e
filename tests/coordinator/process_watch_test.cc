// ProcessWatch: who said something, who ended; and nobody of whom nothing is left.
#include "core/coordinator/process_watch.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <utility>

namespace uc::coordinator {
namespace {

using Kind = ProcessWatch::Kind;

// A worker that says what it is told to, and ends when it is told to.
class Actor {
 public:
  explicit Actor(policy::Generation generation) {
    std::pair<link::Channel, link::Channel> ends = *link::Channel::Pair();
    theirs_.emplace(std::move(ends.second));
    process.id.generation = generation;
    process.channel.emplace(std::move(ends.first));
    process.pid = fork();
    if (process.pid == 0) {
      pause();
      _exit(0);
    }
    process.pidfd.Reset(static_cast<int>(syscall(SYS_pidfd_open, process.pid, 0)));
  }
  ~Actor() {
    if (process.pid != 0) End();
  }
  void Speak() { ASSERT_TRUE(theirs_->Send(link::Ready{}).ok()); }
  void End() {
    kill(process.pid, SIGKILL);
    siginfo_t info;
    ASSERT_EQ(waitid(P_PID, static_cast<id_t>(process.pid), &info, WEXITED | WNOWAIT), 0);
    waitpid(std::exchange(process.pid, 0), nullptr, 0);
  }

  WorkerProcess process;

 private:
  std::optional<link::Channel> theirs_;
};

std::vector<std::pair<Kind, policy::Generation>> Look(ProcessWatch& watch) {
  std::vector<std::pair<Kind, policy::Generation>> seen;
  for (const ProcessWatch::Ready& one : watch.Look()) seen.push_back({one.kind, one.generation});
  return seen;
}

using Seen = std::vector<std::pair<Kind, policy::Generation>>;

TEST(ProcessWatch, TellsWhoSpokeAndWhoEnded) {
  ProcessWatch watch = *ProcessWatch::Begin();
  Actor first(1);
  Actor second(2);
  ASSERT_TRUE(watch.Add(first.process).ok());
  ASSERT_TRUE(watch.Add(second.process).ok());
  EXPECT_EQ(Look(watch), Seen{});

  second.Speak();
  pollfd readable = {watch.fd(), POLLIN, 0};
  EXPECT_EQ(poll(&readable, 1, 0), 1);
  EXPECT_EQ(Look(watch), (Seen{{Kind::kLink, 2}}));
  EXPECT_EQ(Look(watch), (Seen{{Kind::kLink, 2}})) << "until it is heard";
  ASSERT_TRUE(second.process.channel->Receive().ok());
  first.End();
  EXPECT_EQ(Look(watch), (Seen{{Kind::kExit, 1}}));
}

TEST(ProcessWatch, WhatWasSaidComesBeforeAnyEnd) {
  ProcessWatch watch = *ProcessWatch::Begin();
  Actor first(1);
  Actor second(2);
  ASSERT_TRUE(watch.Add(first.process).ok());
  ASSERT_TRUE(watch.Add(second.process).ok());
  first.End();
  second.Speak();
  EXPECT_EQ(Look(watch), (Seen{{Kind::kLink, 2}, {Kind::kExit, 1}}));
}

TEST(ProcessWatch, WhoseDescriptorsAreClosedIsForgotten) {
  ProcessWatch watch = *ProcessWatch::Begin();
  Actor gone(7);
  ASSERT_TRUE(watch.Add(gone.process).ok());
  gone.Speak();
  gone.End();
  gone.process.channel.reset();
  gone.process.pidfd.Reset();
  EXPECT_EQ(Look(watch), Seen{});
}

}  // namespace
}  // namespace uc::coordinator
