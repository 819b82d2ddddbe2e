#include "core/coordinator/start_report.h"

#include <gtest/gtest.h>

namespace uc::coordinator {
namespace {

TEST(StartReportTest, WholeClusterIsReady) {
  const StartReport report = ToReport("web", {2, 2, ""}, {*net::Address::Parse("127.0.0.1:8080")});
  EXPECT_TRUE(report.whole);
  EXPECT_EQ(report.line, "cluster web is ready: 2 workers on 127.0.0.1:8080");
}

TEST(StartReportTest, IncompleteOneSaysWhoServesAndWhyOthersDoNot) {
  const StartReport report =
      ToReport("web", {1, 2, "slot 1: worker exited with code 3 before it was ready"}, {});
  EXPECT_FALSE(report.whole);
  EXPECT_EQ(report.line,
            "cluster web is incomplete: 1 of 2 workers serve on no address; slot 1: worker exited "
            "with code 3 before it was ready");
}

TEST(StartReportTest, WorkersThatEndedAsTheyMayAreNoFailure) {
  EXPECT_TRUE(ToReport("job", {0, 1, ""}, {}).whole);
  EXPECT_EQ(
      ToReport("job", {0, 1, ""}, {}).line,
      "cluster job is ready: 1 worker on no address; 1 of them has ended as it may, and stays "
      "down");
  EXPECT_EQ(ToReport("job", {1, 3, ""}, {}).line,
            "cluster job is ready: 3 workers on no address; 2 of them have ended as they may, and "
            "stay down");
}

}  // namespace
}  // namespace uc::coordinator
