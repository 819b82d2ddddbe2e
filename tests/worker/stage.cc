#include "tests/worker/stage.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/clock.h"
#include "core/net/listener.h"

namespace uc::worker {
namespace {

constexpr int kPatienceMs = 20'000;
int note_fd = -1;

std::string MakeFolder() {
  std::string folder = absl::StrCat(testing::TempDir(), "/uc-worker-XXXXXX");
  return mkdtemp(folder.data()) != nullptr ? folder : "";
}

bool Readable(int fd) {
  pollfd watch = {fd, POLLIN, 0};
  return poll(&watch, 1, kPatienceMs) == 1;
}

}  // namespace

void Note(std::string_view line) {
  const std::string text = absl::StrCat(absl::string_view(line.data(), line.size()), "\n");
  [[maybe_unused]] const ssize_t written = write(note_fd, text.data(), text.size());
}

Stage::Stage()
    : folder_(MakeFolder()),
      board_(scoreboard::Scoreboard::Create(folder_ + "/scoreboard").value()) {
  options_.addresses = {net::Address::Parse("127.0.0.1:0").value()};
  options_.linger_timeout = absl::Seconds(1);
}

Stage::~Stage() {
  if (pid_ > 0) {
    Signal(SIGTERM);
    EXPECT_EQ(AwaitExit(), 0) << "the worker did not leave properly";
  }
  if (pid_ > 0) {
    Signal(SIGKILL);
    AwaitExit();
  }
  std::filesystem::remove_all(folder_);
}

void Stage::BecomeWorker(const AppFactory& make_app, Fd link) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (descriptors_max_ > 0) {
    const rlimit limit = {descriptors_max_, descriptors_max_};
    setrlimit(RLIMIT_NOFILE, &limit);
  }
  const int code = RunWorkerWithApp(options_, link::Channel(std::move(link)), make_app);
  _exit(code);
}

link::Message Stage::AwaitWord() {
  for (;;) {
    if (!Readable(link_->fd())) return link::Refused{false, "no word from the worker"};
    absl::StatusOr<std::optional<link::Received>> word = link_->Receive();
    if (!word.ok()) return link::Refused{false, std::string(word.status().message())};
    if (!word->has_value()) continue;
    if (!std::holds_alternative<link::Bound>((*word)->message)) return (*word)->message;
    bound_ = std::move((*word)->descriptors);
  }
}

link::Message Stage::Cast(const AppFactory& make_app) {
  auto [ours, theirs] = link::Channel::Pair().value();
  int notes[2];
  if (pipe2(notes, O_CLOEXEC) != 0) abort();
  pid_ = fork();
  if (pid_ == 0) {
    note_fd = notes[1];
    Fd link(dup(theirs.fd()));
    {
      const link::Channel not_ours = std::move(ours);  // else nobody would see EOF
    }
    BecomeWorker(make_app, std::move(link));
  }
  close(notes[1]);
  notes_.Reset(notes[0]);
  pidfd_.Reset(static_cast<int>(syscall(SYS_pidfd_open, pid_, 0)));
  link_.emplace(std::move(ours));
  auto inbox = link::Channel::Pair().value();
  inbox_ = inbox.second.Replace(Fd());
  const Fd door = link::MakeDoor(folder_ + "/door").value();
  std::vector<int> descriptors = {board_.reports_fd().get(), inbox.first.fd(), inbox_.get(),
                                  door.get()};
  for (const Fd& listener : inherited_) descriptors.push_back(listener.get());
  const link::Assign assign = {
      .slot = 2, .generation = 7, .row = kRow, .entry = entry_, .addresses = assigned_addresses_};
  EXPECT_TRUE(link_->Send(assign, descriptors).ok());
  return AwaitWord();
}

void Stage::Raise(const AppFactory& make_app) {
  const link::Message word = Cast(make_app);
  const auto* refused = std::get_if<link::Refused>(&word);
  ASSERT_TRUE(std::holds_alternative<link::Ready>(word))
      << (refused != nullptr ? refused->reason : "another message");
  const Fd& listener = bound_.empty() ? inherited_.at(0) : bound_.at(0);
  address_ = net::LocalAddress(listener).value();
}

scoreboard::Totals Stage::Totals() const { return scoreboard::Read(row().counters); }

bool Stage::Reaches(const std::atomic<uint64_t>& counter, uint64_t value) const {
  return Comes([&] { return counter.load(std::memory_order_relaxed) >= value; });
}

bool Stage::ReachesInFlight(uint32_t requests) const {
  return Comes([&] { return row().in_flight.load(std::memory_order_relaxed) == requests; });
}

bool Stage::Comes(const std::function<bool()>& condition) const {
  const absl::Time deadline = MonotonicNow() + absl::Milliseconds(kPatienceMs);
  pollfd watch = {pidfd_.get(), POLLIN, 0};
  while (!condition()) {
    // A look every few ms, ended by the worker's death: shared memory cannot be waited for.
    if (MonotonicNow() > deadline || poll(&watch, 1, 5) == 1) return false;
  }
  return true;
}

bool Stage::BeatsAfter(int64_t nanos) const {
  return Comes([&] { return row().heartbeat_ns.load(std::memory_order_relaxed) >= nanos; });
}

void Stage::Drain(link::DrainKind kind, absl::Duration within, const std::vector<int>& heirs) {
  Say(link::Drain{kind, static_cast<uint32_t>(absl::ToInt64Milliseconds(within))}, heirs);
}

void Stage::Say(const link::Message& message, const std::vector<int>& descriptors) {
  EXPECT_TRUE(link_->Send(message, descriptors).ok());
}

void Stage::Signal(int signal) { syscall(SYS_pidfd_send_signal, pidfd_.get(), signal, nullptr, 0); }

int Stage::AwaitExit() {
  if (!Readable(pidfd_.get())) return -1;
  int status = 0;
  waitpid(pid_, &status, 0);
  pid_ = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

std::string Stage::Noted() {
  size_t end;
  while ((end = notes_read_.find('\n')) == std::string::npos) {
    char bytes[4096];
    if (!Readable(notes_.get())) return "";
    const ssize_t size = read(notes_.get(), bytes, sizeof(bytes));
    if (size <= 0) return "";
    notes_read_.append(bytes, static_cast<size_t>(size));
  }
  std::string line = notes_read_.substr(0, end);
  notes_read_.erase(0, end + 1);
  return line;
}

size_t Stage::Memory() const {
  std::ifstream statm(absl::StrCat("/proc/", pid_, "/statm"));
  size_t total = 0, resident = 0;
  statm >> total >> resident;
  return resident * static_cast<size_t>(sysconf(_SC_PAGESIZE));
}

}  // namespace uc::worker
