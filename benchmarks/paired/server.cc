#include "benchmarks/paired/server.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "core/base/fd.h"

namespace uc::paired {
namespace {

constexpr absl::Duration kStartTimeout = absl::Seconds(10);
constexpr absl::Duration kStopTimeout = absl::Seconds(5);

sockaddr_in Loopback(uint16_t port) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

uint16_t FreePort() {
  const Fd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address = Loopback(0);
  socklen_t size = sizeof(address);
  if (bind(fd.get(), reinterpret_cast<sockaddr*>(&address), size) != 0) return 0;
  if (getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) return 0;
  return ntohs(address.sin_port);
}

// Parent of each process, from /proc/PID/stat: "pid (comm) state ppid ...".
std::multimap<pid_t, pid_t> ChildrenByParent() {
  std::multimap<pid_t, pid_t> children;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    pid_t pid;
    if (!absl::SimpleAtoi(entry.path().filename().string(), &pid)) continue;
    std::ifstream file(entry.path() / "stat");
    std::stringstream text;
    text << file.rdbuf();
    const std::string stat = text.str();
    const size_t end = stat.rfind(')');
    if (end == std::string::npos) continue;
    std::istringstream rest(stat.substr(end + 1));
    char state;
    pid_t parent;
    if (rest >> state >> parent) children.emplace(parent, pid);
  }
  return children;
}

std::vector<pid_t> Family(pid_t root) {
  const std::multimap<pid_t, pid_t> children = ChildrenByParent();
  std::vector<pid_t> family = {root};
  for (size_t i = 0; i < family.size(); ++i) {
    const auto [begin, end] = children.equal_range(family[i]);
    for (auto child = begin; child != end; ++child) family.push_back(child->second);
  }
  return family;
}

void Wait(absl::Duration duration) {
  const timespec time = absl::ToTimespec(duration);
  clock_nanosleep(CLOCK_MONOTONIC, 0, &time, nullptr);
}

}  // namespace

absl::StatusOr<Server::Order> Server::Order::Parse(absl::string_view text) {
  const size_t mark = text.find('=');
  if (mark == absl::string_view::npos || mark == 0 || mark + 1 == text.size()) {
    return absl::InvalidArgumentError(absl::StrCat("--server: '", text, "' is not NAME=COMMAND"));
  }
  return Order{std::string(text.substr(0, mark)), std::string(text.substr(mark + 1))};
}

absl::StatusOr<Server> Server::Start(const Order& order, const Surroundings& around) {
  Server server;
  server.name_ = order.name;
  server.port_ = FreePort();
  const std::string folder = absl::StrCat(around.folder, "/", order.name);
  std::filesystem::create_directory(folder);
  server.log_ = absl::StrCat(folder, ".log");
  std::string command =
      absl::StrReplaceAll(order.command, {{"{port}", absl::StrCat(server.port_)},
                                          {"{request_bytes}", absl::StrCat(around.request_bytes)},
                                          {"{folder}", folder},
                                          {"{files}", around.files}});
  // The shell in between would take the SIGTERM, and not pass it on.
  if (!absl::StrContains(command, "exec ")) command.insert(0, "exec ");
  server.pid_ = fork();
  if (server.pid_ < 0) return absl::ErrnoToStatus(errno, "fork");
  if (server.pid_ == 0) {
    cpu_set_t cores;
    CPU_ZERO(&cores);
    CPU_SET(around.core, &cores);
    sched_setaffinity(0, sizeof(cores), &cores);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    const int log = open(server.log_.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
    dup2(log, STDOUT_FILENO);
    dup2(log, STDERR_FILENO);
    execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
    _exit(127);
  }
  if (absl::Status status = server.AwaitConnections(); !status.ok()) return status;
  server.Count();
  return server;
}

absl::Status Server::AwaitConnections() const {
  const absl::Time deadline = absl::Now() + kStartTimeout;
  while (absl::Now() < deadline) {
    if (waitpid(pid_, nullptr, WNOHANG) == pid_) break;
    const Fd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const sockaddr_in address = Loopback(port_);
    if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0) {
      return absl::OkStatus();
    }
    Wait(absl::Milliseconds(2));
  }
  std::ifstream file(log_);
  std::stringstream text;
  text << file.rdbuf();
  return absl::UnavailableError(
      absl::StrCat(name_, " does not accept connections; it says:\n", text.str()));
}

Server::Server(Server&& other) noexcept
    : name_(std::move(other.name_)),
      log_(std::move(other.log_)),
      port_(other.port_),
      pid_(std::exchange(other.pid_, -1)),
      clocks_(std::move(other.clocks_)) {}

Server::~Server() {
  if (pid_ < 0) return;
  const std::vector<pid_t> family = Family(pid_);
  kill(pid_, SIGTERM);
  const absl::Time deadline = absl::Now() + kStopTimeout;
  bool gone = false;
  while (!gone && absl::Now() < deadline) {
    gone = waitpid(pid_, nullptr, WNOHANG) == pid_;
    if (!gone) Wait(absl::Milliseconds(5));
  }
  if (gone) return;
  for (const pid_t pid : family) kill(pid, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

void Server::Count() {
  clocks_.clear();
  for (const pid_t pid : Family(pid_)) {
    clockid_t clock;
    if (clock_getcpuclockid(pid, &clock) == 0) clocks_.push_back(clock);
  }
}

int64_t Server::CpuNanos() const {
  int64_t nanos = 0;
  for (const clockid_t clock : clocks_) {
    timespec time;
    if (clock_gettime(clock, &time) == 0) nanos += time.tv_sec * 1'000'000'000 + time.tv_nsec;
  }
  return nanos;
}

}  // namespace uc::paired
