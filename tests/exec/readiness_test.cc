#include "core/exec/readiness.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace uc::exec {
namespace {

using testing::HasSubstr;
using testing::Not;

const absl::Time kStart = absl::FromUnixSeconds(1'000);

TEST(ReadinessTest, ReadyOnlyOnce) {
  Readiness readiness(ReadyWhen::kListens, absl::Seconds(10), kStart);
  EXPECT_FALSE(readiness.reached());
  EXPECT_TRUE(readiness.Reach());
  EXPECT_FALSE(readiness.Reach());
  EXPECT_TRUE(readiness.reached());
}

TEST(ReadinessTest, TooLateBeforeTheCoordinatorsPatienceEnds) {
  Readiness readiness(ReadyWhen::kListens, absl::Seconds(10), kStart);
  EXPECT_EQ(readiness.due(), kStart + absl::Seconds(9));
  readiness.Reach();
  EXPECT_EQ(readiness.due(), absl::InfiniteFuture());
}

TEST(ReadinessTest, RefusedOnceAndSaysWhatItHasWaitedFor) {
  Readiness listens(ReadyWhen::kListens, absl::Seconds(10), kStart);
  EXPECT_EQ(listens.refusal(), "");
  EXPECT_THAT(listens.Refuse(SocketWay::kPreload), HasSubstr("has not listened within "
                                                             "--listen-timeout=10s through libc"));
  EXPECT_EQ(listens.due(), absl::InfiniteFuture());
  EXPECT_THAT(listens.refusal(), HasSubstr("--sockets=listen-fds"));

  Readiness inherits(ReadyWhen::kListens, absl::Seconds(10), kStart);
  EXPECT_THAT(inherits.Refuse(SocketWay::kListenFds), HasSubstr("LISTEN_FDS"));

  Readiness says(ReadyWhen::kSaysSo, absl::Seconds(10), kStart);
  EXPECT_THAT(says.Refuse(SocketWay::kPreload), HasSubstr("has not said that it is ready"));
  EXPECT_THAT(says.refusal(), Not(HasSubstr("libc")));
}

}  // namespace
}  // namespace uc::exec
