// What RLIMIT_NOFILE allows: the same figures at start and for `scale`.
#include "core/coordinator/descriptor_bound.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <string>

namespace uc::coordinator {
namespace {

using testing::HasSubstr;

class DescriptorBoundTest : public testing::Test {
 protected:
  DescriptorBoundTest() {
    getrlimit(RLIMIT_NOFILE, &before_);
    options_.addresses.push_back(*net::Address::Parse("127.0.0.1:80"));
    options_.scribe_arguments = {"uring-cluster", "scribe"};
  }
  ~DescriptorBoundTest() override { setrlimit(RLIMIT_NOFILE, &before_); }
  void Limit(rlim_t descriptors) {
    rlimit limit = before_;
    limit.rlim_cur = descriptors;
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
  }

  CoordinatorOptions options_;
  rlimit before_ = {};
};

TEST_F(DescriptorBoundTest, WhatTheBoundAllowsMayStartAndNotOneMore) {
  for (const rlim_t limit : {64, 100, 1024}) {
    Limit(limit);
    const policy::WorkersBound bound = DescriptorBound(options_, 1);
    options_.supervisor.workers = bound.workers;
    EXPECT_TRUE(CheckDescriptors(options_).ok()) << limit;
    options_.supervisor.workers = bound.workers + 1;
    EXPECT_TRUE(absl::IsFailedPrecondition(CheckDescriptors(options_))) << limit;
  }
}

TEST_F(DescriptorBoundTest, FigureAndCureAreNamed) {
  Limit(64);
  const policy::WorkersBound bound = DescriptorBound(options_, 1);
  EXPECT_EQ(bound.workers, 4u);
  EXPECT_EQ(
      bound.why,
      "each takes 6 file descriptors of the coordinator, 37 are kept for other things, and the "
      "limit is 64; raise it (ulimit -n, LimitNOFILE=) and start the cluster again");
}

TEST_F(DescriptorBoundTest, WiderRollsNeedMore) {
  Limit(100);
  const uint32_t narrow = DescriptorBound(options_, 1).workers;
  options_.supervisor.roll_width = 4;
  EXPECT_LT(DescriptorBound(options_, 1).workers, narrow);
}

TEST_F(DescriptorBoundTest, LimitBelowTheReserveAllowsNobody) {
  Limit(20);
  EXPECT_EQ(DescriptorBound(options_, 1).workers, 0u);
  EXPECT_THAT(std::string(CheckDescriptors(options_).message()), HasSubstr("the limit is 20"));
}

}  // namespace
}  // namespace uc::coordinator
