// HealthWatch: how often it looks, and whom it asks.
#include "core/coordinator/health_watch.h"

#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <memory>
#include <utility>
#include <vector>

#include "core/base/clock.h"
#include "core/net/listener.h"
#include "gtest/gtest.h"

namespace uc::coordinator {
namespace {

constexpr policy::Generation kWorker = 1;

// The worker that is judged: a process that is stopped for certain, so that it is not one that waits for a CPU.
class Sleeper {
 public:
  Sleeper() : pid_(fork()) {
    if (pid_ == 0) {
      for (;;) raise(SIGSTOP);
    }
    EXPECT_EQ(waitpid(pid_, nullptr, WUNTRACED), pid_);
  }
  ~Sleeper() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  Sleeper(const Sleeper&) = delete;
  Sleeper& operator=(const Sleeper&) = delete;
  pid_t pid() const { return pid_; }

 private:
  const pid_t pid_;
};

class HealthWatchTest : public testing::Test {
 protected:
  HealthWatchTest() {
    WorkerProcess process;
    process.id = {0, kWorker};
    process.pid = sleeper_.pid();
    processes_.emplace(kWorker, std::move(process));
    const net::Address address = *net::Address::Parse("127.0.0.1:0");
    listener_ = *net::Bind(address, {});
    EXPECT_TRUE(net::StartListening(listener_, address, {}).ok());
    std::vector<Fd> listeners;
    listeners.emplace_back(dup(listener_.get()));
    EXPECT_TRUE(keep_.Keep(0, std::move(listeners)));
    Beat();
  }
  scoreboard::Report& report() { return layout_->reports.rows[0]; }
  void Beat() { report().heartbeat_ns.store(absl::ToUnixNanos(now_)); }
  void Answer() { report().counters.requests.fetch_add(1); }
  // Until the next look is due; returns how long that was, and what the look found.
  absl::Duration Look() {
    const absl::Duration slept = watch_.due() - now_;
    if (slept > absl::ZeroDuration()) now_ = watch_.due();
    observed_ = watch_.Look(now_, processes_, *layout_, keep_, nullptr);
    return slept;
  }
  Fd Connect() {
    sockaddr_in address = {};
    socklen_t size = sizeof(address);
    getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size);  // NOLINT
    Fd client(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(connect(client.get(), reinterpret_cast<sockaddr*>(&address), size), 0);  // NOLINT
    return client;
  }

  absl::Time now_ = MonotonicTime(1'000'000'000);
  Sleeper sleeper_;
  std::unique_ptr<scoreboard::Layout> layout_ = std::make_unique<scoreboard::Layout>();
  Processes processes_;
  Fd listener_;
  ListenerKeep keep_{1, ListenerKeep::Kind::kFixed};
  HealthWatch watch_{{}, HealthWatch::Workers::kNative};
  std::vector<policy::HealthObserved> observed_;
};

TEST_F(HealthWatchTest, AnIdleClusterIsLookedAtOnceASecond) {
  Look();
  EXPECT_TRUE(watch_.idle());
  Beat();
  EXPECT_EQ(Look(), absl::Seconds(1));
  EXPECT_TRUE(watch_.idle());
}

TEST_F(HealthWatchTest, AHangIsNoticedInTimeThoughNothingElseHappens) {
  HealthWatch hasty({absl::Milliseconds(400), absl::Milliseconds(50)},
                    HealthWatch::Workers::kNative);
  hasty.Look(now_, processes_, *layout_, keep_, nullptr);
  EXPECT_EQ(hasty.due() - now_, absl::Milliseconds(50));
}

TEST_F(HealthWatchTest, TrafficMakesTheLooksQuick) {
  Look();
  Answer();
  Look();
  EXPECT_FALSE(watch_.idle());
  Answer();
  EXPECT_EQ(Look(), absl::Milliseconds(25));
  Look();  // nothing came since
  EXPECT_TRUE(watch_.idle());
}

TEST_F(HealthWatchTest, AConnectionStirsAnIdleCluster) {
  Look();
  ASSERT_TRUE(watch_.idle());
  watch_.Stir(now_);
  EXPECT_FALSE(watch_.idle());
  EXPECT_EQ(Look(), absl::Milliseconds(25));
}

TEST_F(HealthWatchTest, OfASilentWorkerWithWorkWaitingTheNextLookIsNear) {
  Look();
  const Fd client = Connect();
  now_ += absl::Milliseconds(20);
  watch_.Stir(now_);
  Look();
  EXPECT_FALSE(watch_.idle());
  absl::Duration waited;
  while (observed_.empty() && waited < absl::Seconds(1)) waited += Look();
  ASSERT_EQ(observed_.size(), 1u);
  EXPECT_TRUE(observed_[0].health == policy::Health::kSuspect);
  EXPECT_EQ(waited, absl::Milliseconds(50));
}

TEST_F(HealthWatchTest, AQueueIsNobodysSilenceWhileItsWorkerTurns) {
  Look();
  const Fd client = Connect();
  for (int looks = 0; looks < 20; ++looks) {
    Beat();
    Look();
    EXPECT_TRUE(observed_.empty());
  }
}

}  // namespace
}  // namespace uc::coordinator
