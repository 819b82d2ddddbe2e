#include "core/worker/app_context.h"

#include <unistd.h>

#include <algorithm>
#include <exception>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/clock.h"
#include "core/base/log.h"

namespace uc::worker {
namespace {

constexpr auto kLater = [](const auto& a, const auto& b) { return a.due_ns > b.due_ns; };

constexpr int64_t kDelayMaxMs = int64_t{1000} * 60 * 60 * 24 * 365 * 100;  // no overflow in ns

}  // namespace

AppContext::AppContext(uint32_t slot, uint32_t generation, std::vector<std::string> arguments,
                       Fd wake, std::function<app::Exchange*(app::ExchangeId)> find)
    : slot_(slot),
      generation_(generation),
      arguments_(std::move(arguments)),
      wake_(std::move(wake)),
      find_(std::move(find)) {}

void AppContext::Post(std::function<void()> work) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    posted_.push_back(std::move(work));
  }
  Wake();
}

void AppContext::Wake() {
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = write(wake_.get(), &one, sizeof(one));
}

void AppContext::After(std::chrono::milliseconds delay, std::function<void()> work) {
  const int64_t due_ns =
      MonotonicNanos() + std::clamp<int64_t>(delay.count(), 0, kDelayMaxMs) * 1'000'000;
  timers_.push_back({due_ns, std::move(work)});
  std::push_heap(timers_.begin(), timers_.end(), kLater);
}

void AppContext::Log(std::string_view line) {
  LogInfo(absl::StrCat("app: ", absl::string_view(line.data(), line.size())));
}

void AppContext::Run(const std::function<void()>& work) {
  try {
    work();
  } catch (const std::exception& error) {
    LogWarning(absl::StrCat("the app threw in posted work: ", error.what()));
  } catch (...) {
    LogWarning("the app threw in posted work");
  }
}

void AppContext::RunPosted() {
  uint64_t count;
  [[maybe_unused]] const ssize_t size = read(wake_.get(), &count, sizeof(count));
  std::vector<std::function<void()>> work;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    work.swap(posted_);
  }
  for (const std::function<void()>& one : work) Run(one);
}

void AppContext::RunTimers(int64_t now_ns) {
  while (!timers_.empty() && timers_.front().due_ns <= now_ns) {
    std::pop_heap(timers_.begin(), timers_.end(), kLater);
    const std::function<void()> work = std::move(timers_.back().work);
    timers_.pop_back();
    Run(work);
  }
}

}  // namespace uc::worker
