// AppContext: what the worker offers to its app besides connections: identity, posted work, timers.
#ifndef CORE_WORKER_APP_CONTEXT_H_
#define CORE_WORKER_APP_CONTEXT_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/app/app.h"
#include "core/base/fd.h"

namespace uc::worker {

class AppContext final : public app::Context {
 public:
  // `find` looks an exchange up; it is called on the worker's thread only.
  AppContext(uint32_t slot, uint32_t generation, std::vector<std::string> arguments, Fd wake,
             std::function<app::Exchange*(app::ExchangeId)> find);

  uint32_t slot() const override { return slot_; }
  uint32_t generation() const override { return generation_; }
  std::span<const std::string> arguments() const override { return arguments_; }
  void Post(std::function<void()> work) override;  // thread-safe
  void After(std::chrono::milliseconds delay, std::function<void()> work) override;
  app::Exchange* Find(app::ExchangeId id) override { return find_(id); }
  void Log(std::string_view line) override;

  // An eventfd that becomes readable when work was posted.
  const Fd& wake() const { return wake_; }
  void RunPosted();
  // Makes wake() readable: the next turn will not wait.
  void Wake();
  void RunTimers(int64_t now_ns);
  bool has_timers() const { return !timers_.empty(); }

 private:
  struct Timer {
    int64_t due_ns;
    std::function<void()> work;
  };
  static void Run(const std::function<void()>& work);

  const uint32_t slot_;
  const uint32_t generation_;
  const std::vector<std::string> arguments_;
  const Fd wake_;
  const std::function<app::Exchange*(app::ExchangeId)> find_;
  std::mutex mutex_;
  std::vector<std::function<void()>> posted_;  // guarded by mutex_
  std::vector<Timer> timers_;                  // a heap, the next one first
};

}  // namespace uc::worker

#endif  // CORE_WORKER_APP_CONTEXT_H_
