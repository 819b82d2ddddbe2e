#include "core/coordinator/survivors.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <memory>
#include <set>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "core/base/clock.h"
#include "core/base/own_file.h"
#include "core/coordinator/program_group.h"
#include "core/link/message.h"
#include "core/scoreboard/process_start.h"
#include "core/scoreboard/scoreboard.h"

namespace uc::coordinator {
namespace {

constexpr char kListens[] = "00010000";  // SO_ACCEPTCON
constexpr char kBelowFolder[] = "/proc/self/fd/";

constexpr absl::Duration kKillPatience = absl::Seconds(10);
// Somebody who was just spawned is known, or has gone, long before.
constexpr absl::Duration kIdentityPatience = absl::Seconds(2);

struct CloseDirectory {
  void operator()(DIR* directory) const { closedir(directory); }
};

bool HasEnded(const Fd& pidfd) {
  pollfd watch = {pidfd.get(), POLLIN, 0};
  return poll(&watch, 1, 0) != 0;
}

Fd OpenPidfd(pid_t pid) { return Fd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0))); }

bool HasWorker(const scoreboard::WorkerRow& row) {
  return row.state.load(std::memory_order_acquire) != 0 &&
         row.slot.load(std::memory_order_relaxed) < scoreboard::kSlotsMax;
}

std::optional<uint32_t> RowOf(const scoreboard::Layout& layout, policy::Generation generation) {
  for (uint32_t row = 0; row < scoreboard::kWorkerRows; ++row) {
    const scoreboard::WorkerRow& entry = layout.workers[row];
    if (HasWorker(entry) && entry.generation.load(std::memory_order_relaxed) == generation) {
      return row;
    }
  }
  return std::nullopt;
}

// The process that the row names, if it is still that one. First the descriptor, then the look.
Fd ProcessOf(const scoreboard::WorkerRow& row) {
  const pid_t pid = row.pid.load(std::memory_order_acquire);
  const uint64_t start = row.process_start.load(std::memory_order_relaxed);
  if (pid <= 1 || pid == getpid() || start == 0) return Fd();
  Fd pidfd = OpenPidfd(pid);
  return pidfd.valid() && scoreboard::ProcessStart(pid) == start && !HasEnded(pidfd)
             ? std::move(pidfd)
             : Fd();
}

// By the kernel's word about the door, else by the row's.
void Identify(Survivor& survivor, const scoreboard::Layout* layout) {
  if (survivor.channel.has_value()) {
    Fd pidfd = survivor.channel->KeeperPidfd();
    const pid_t keeper = survivor.channel->keeper();
    if (!pidfd.valid() && keeper > 1) {
      pidfd = OpenPidfd(keeper);
      if (!HoldsDoor(keeper, survivor.generation)) pidfd.Reset();
    }
    // Until the worker has kept its door, it is its coordinator's: ours, where we are an upgrade.
    if (pidfd.valid() && keeper > 1 && keeper != getpid() && !HasEnded(pidfd)) {
      survivor.pid = keeper;
      survivor.pidfd = std::move(pidfd);
      return;
    }
  }
  if (layout == nullptr || !survivor.row.has_value()) return;
  const scoreboard::WorkerRow& row = layout->workers[*survivor.row];
  survivor.pidfd = ProcessOf(row);
  if (survivor.pidfd.valid()) survivor.pid = row.pid.load(std::memory_order_relaxed);
}

void AskToLeave(Survivor& survivor, absl::Duration patience) {
  if (survivor.pidfd.valid()) {
    syscall(SYS_pidfd_send_signal, survivor.pidfd.get(), SIGTERM, nullptr, 0);
  } else if (survivor.channel.has_value()) {
    // A worker of another version leaves, too: it does not understand us.
    survivor.channel
        ->Send(link::Drain{link::DrainKind::kPrompt,
                           static_cast<uint32_t>(absl::ToInt64Milliseconds(patience))})
        .IgnoreError();
  }
}

// Takes what it says, which nobody wants; false: its end of the channel is closed.
bool HearOut(link::Channel& channel) {
  for (;;) {
    const auto received = channel.Receive();
    if (absl::IsInvalidArgument(received.status())) continue;
    if (!received.ok()) return false;
    if (!received->has_value()) return true;
  }
}

bool IsThere(Survivor& survivor) {
  if (survivor.pidfd.valid()) return !HasEnded(survivor.pidfd);
  if (survivor.channel.has_value()) {
    const bool open = HearOut(*survivor.channel);
    IdentifySender(survivor);
    if (!open) survivor.channel.reset();
  }
  return survivor.pidfd.valid() || survivor.channel.has_value();
}

// A report of a native worker that names a program lies.
bool RunsPrograms(const scoreboard::Layout& layout) {
  return layout.header.program.load() != static_cast<uint32_t>(scoreboard::AppKind::kNative);
}

// Those who are still there, at `until` at the latest.
std::vector<Survivor*> AwaitEnds(absl::Span<Survivor> survivors, absl::Time until) {
  for (;;) {
    std::vector<Survivor*> there;
    std::vector<pollfd> watched;
    for (Survivor& survivor : survivors) {
      if (!IsThere(survivor)) continue;
      there.push_back(&survivor);
      watched.push_back(
          {survivor.pidfd.valid() ? survivor.pidfd.get() : survivor.channel->fd(), POLLIN, 0});
    }
    const int64_t left = absl::ToInt64Milliseconds(until - MonotonicNow());
    if (there.empty() || left <= 0) return there;
    poll(watched.data(), watched.size(), static_cast<int>(left));
  }
}

}  // namespace

std::string DoorPath(const std::string& directory, policy::Generation generation) {
  return absl::StrCat(directory, "/doors/", generation);
}

bool HoldsDoor(pid_t pid, policy::Generation generation) {
  // Lines are "num refcount protocol flags type state inode path" (proc_pid_net(5)). The path is as it was bound: below
  // a descriptor of whoever made it (link::MakeDoor).
  const std::string name = absl::StrCat("/", generation);
  std::set<std::string> wanted;
  std::ifstream table("/proc/net/unix");
  for (std::string line; std::getline(table, line);) {
    const std::vector<std::string> words = absl::StrSplit(line, ' ', absl::SkipEmpty());
    if (words.size() == 8 && words[3] == kListens && absl::StartsWith(words[7], kBelowFolder) &&
        absl::EndsWith(words[7], name)) {
      wanted.insert(absl::StrCat("socket:[", words[6], "]"));
    }
  }
  const std::string folder = absl::StrCat("/proc/", pid, "/fd");
  const std::unique_ptr<DIR, CloseDirectory> descriptors(opendir(folder.c_str()));
  if (descriptors == nullptr) return false;
  while (const dirent* entry = readdir(descriptors.get())) {
    char target[64];
    const ssize_t size =
        readlinkat(dirfd(descriptors.get()), entry->d_name, target, sizeof(target));
    if (size > 0 && wanted.count(std::string(target, static_cast<size_t>(size))) > 0) return true;
  }
  return false;
}

// Those that are kept, or those that nobody keeps any more; sorted.
static absl::StatusOr<std::vector<policy::Generation>> DoorsThat(bool (*is_so)(const std::string&),
                                                                 const std::string& directory) {
  std::vector<policy::Generation> chosen;
  const std::string folder = directory + "/doors";
  absl::StatusOr<Fd> own = OpenOwnFolder(folder);
  if (absl::IsNotFound(own.status())) return chosen;
  if (!own.ok()) {
    return absl::Status(own.status().code(),
                        absl::StrCat(own.status().message(),
                                     ". Workers may keep their doors in the folder of that name"));
  }
  const std::unique_ptr<DIR, CloseDirectory> doors(fdopendir(own->get()));
  if (doors == nullptr) return absl::ErrnoToStatus(errno, absl::StrCat(folder, ": cannot be read"));
  [[maybe_unused]] const int owned_by_stream = own->Release();
  while (const dirent* entry = readdir(doors.get())) {
    policy::Generation generation = 0;
    if (absl::SimpleAtoi(entry->d_name, &generation) && is_so(DoorPath(directory, generation))) {
      chosen.push_back(generation);
    }
  }
  std::sort(chosen.begin(), chosen.end());
  return chosen;
}

absl::StatusOr<std::vector<policy::Generation>> KeptDoors(const std::string& directory) {
  return DoorsThat([](const std::string& path) { return link::DoorIsKept(path); }, directory);
}

void RemoveDeadDoors(const std::string& directory) {
  const auto dead = [](const std::string& path) { return !link::DoorIsKept(path); };
  const absl::StatusOr<std::vector<policy::Generation>> doors = DoorsThat(dead, directory);
  if (!doors.ok()) return;
  for (const policy::Generation generation : *doors) {
    unlink(DoorPath(directory, generation).c_str());
  }
}

absl::StatusOr<std::vector<Survivor>> FindSurvivors(const std::string& directory,
                                                    const scoreboard::Layout* layout) {
  const absl::StatusOr<std::vector<policy::Generation>> doors = KeptDoors(directory);
  if (!doors.ok()) return doors.status();
  std::vector<Survivor> survivors;
  std::vector<bool> found(scoreboard::kWorkerRows, false);
  for (const policy::Generation generation : *doors) {
    Survivor survivor;
    survivor.generation = generation;
    survivor.door = true;
    if (layout != nullptr) survivor.row = RowOf(*layout, generation);
    if (survivor.row.has_value()) found[*survivor.row] = true;
    absl::StatusOr<link::Channel> channel = link::Channel::Knock(DoorPath(directory, generation));
    if (absl::IsNotFound(channel.status())) continue;
    if (channel.ok()) survivor.channel.emplace(*std::move(channel));
    Identify(survivor, layout);
    survivors.push_back(std::move(survivor));
  }
  // Born where no door could be made, or the doors were cleaned away.
  for (uint32_t row = 0; layout != nullptr && row < scoreboard::kWorkerRows; ++row) {
    const scoreboard::WorkerRow& entry = layout->workers[row];
    if (found[row] || !HasWorker(entry)) continue;
    Survivor survivor;
    survivor.generation = entry.generation.load(std::memory_order_relaxed);
    survivor.row = row;
    Identify(survivor, layout);
    if (survivor.pidfd.valid()) survivors.push_back(std::move(survivor));
  }
  return survivors;
}

void IdentifySender(Survivor& survivor) {
  if (survivor.pidfd.valid() || !survivor.channel.has_value()) return;
  const pid_t sender = survivor.channel->sender();
  if (sender <= 1 || sender == getpid()) return;
  Fd pidfd = OpenPidfd(sender);
  // The look comes second: as long as the channel is open, its sender lives and has its number.
  pollfd watch = {survivor.channel->fd(), 0, 0};
  if (!pidfd.valid() || (poll(&watch, 1, 0) == 1 && (watch.revents & POLLHUP) != 0)) return;
  survivor.pid = sender;
  survivor.pidfd = std::move(pidfd);
}

absl::StatusOr<size_t> CountSurvivors(const std::string& directory,
                                      const scoreboard::Layout* layout) {
  const absl::StatusOr<std::vector<policy::Generation>> doors = KeptDoors(directory);
  if (!doors.ok()) return doors.status();
  size_t count = doors->size();
  for (uint32_t row = 0; layout != nullptr && row < scoreboard::kWorkerRows; ++row) {
    const scoreboard::WorkerRow& entry = layout->workers[row];
    if (!HasWorker(entry) ||
        std::binary_search(doors->begin(), doors->end(), entry.generation.load())) {
      continue;
    }
    count += ProcessOf(entry).valid();
  }
  return count;
}

size_t CountPrograms(const scoreboard::Layout& layout) {
  size_t count = 0;
  for (uint32_t row = 0; RunsPrograms(layout) && row < scoreboard::kWorkerRows; ++row) {
    const scoreboard::WorkerRow& entry = layout.workers[row];
    count += HasWorker(entry) && !ProcessOf(entry).valid() && ProgramGroupLives(layout, row);
  }
  return count;
}

Dismissal DismissAll(absl::Span<Survivor> survivors, absl::Duration patience) {
  Dismissal dismissal;
  for (Survivor& survivor : survivors) {
    if (patience > absl::ZeroDuration() || !survivor.pidfd.valid()) AskToLeave(survivor, patience);
    if (!survivor.pidfd.valid()) patience = std::max(patience, kIdentityPatience);
  }
  for (Survivor* const left : AwaitEnds(survivors, MonotonicNow() + patience)) {
    if (!left->pidfd.valid()) {
      ++dismissal.unknown;
    } else if (syscall(SYS_pidfd_send_signal, left->pidfd.get(), SIGKILL, nullptr, 0) == 0) {
      ++dismissal.killed;
    }
  }
  if (dismissal.killed > 0) {
    for (const Survivor* const left : AwaitEnds(survivors, MonotonicNow() + kKillPatience)) {
      dismissal.unknown += left->pidfd.valid();
    }
  }
  return dismissal;
}

int EndPrograms(const scoreboard::Layout& layout) {
  std::vector<uint32_t> ended;
  for (uint32_t row = 0; RunsPrograms(layout) && row < scoreboard::kWorkerRows; ++row) {
    const scoreboard::WorkerRow& entry = layout.workers[row];
    if (HasWorker(entry) && !ProcessOf(entry).valid() && EndProgramGroup(layout, row)) {
      ended.push_back(row);
    }
  }
  for (const uint32_t row : ended) AwaitProgramGroup(layout, row, kKillPatience);
  return static_cast<int>(ended.size());
}

}  // namespace uc::coordinator
