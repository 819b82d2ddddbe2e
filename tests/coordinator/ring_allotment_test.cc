// What RLIMIT_MEMLOCK allows: the same figures at start and for `scale`, and room for the successors of a roll.
#include "core/coordinator/ring_allotment.h"

#include <gmock/gmock.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <functional>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "tests/ring/ordinary_user.h"

namespace uc::coordinator {
namespace {

using testing::HasSubstr;

TEST(SlotsThatFitTest, ARollHasItsSuccessors) {
  for (uint64_t rings = 0; rings < 40; ++rings) {
    for (uint64_t width = 1; width < 12; ++width) {
      const uint64_t slots = SlotsThatFit(rings, width);
      EXPECT_LE(slots + std::min(slots, width), rings) << rings << ", " << width;
      EXPECT_GT(slots + 1 + std::min(slots + 1, width), rings) << rings << ", " << width;
    }
  }
}

constexpr uid_t kUser = 64140;

class RingAllotmentTest : public ring::OrdinaryUserTest {};

TEST_F(RingAllotmentTest, WhatTheBoundAllowsMayStartAndNotOneMore) {
  for (const uint32_t width : {1, 3, 16}) {
    EXPECT_TRUE(HoldsFor(kUser + width, 256 << 10, [width] {
      RingAllotment rings(RingAllotment::Workers::kNative, width);
      const std::optional<policy::WorkersBound> bound = rings.Bound({}, {});
      if (!bound.has_value()) return;  // a kernel that does not count rings
      policy::SupervisorOptions options;
      options.roll_width = width;
      // The ring that measures for `rings` is there as well, and takes less than one of a worker.
      options.workers = bound->workers;
      EXPECT_TRUE(CheckLockedMemory(options).ok()) << CheckLockedMemory(options);
      options.workers = bound->workers + 1;
      const absl::Status refused = CheckLockedMemory(options);
      EXPECT_TRUE(absl::IsFailedPrecondition(refused));
      EXPECT_THAT(std::string(refused.message()),
                  HasSubstr(absl::StrCat("enough for ", bound->workers, "; ")));
    })) << width;
  }
}

TEST_F(RingAllotmentTest, WiderRollsNeedMore) {
  EXPECT_TRUE(HoldsFor(kUser, 256 << 10, [] {
    RingAllotment narrow(RingAllotment::Workers::kNative, 1);
    RingAllotment wide(RingAllotment::Workers::kNative, 4);
    const std::optional<policy::WorkersBound> most = narrow.Bound({}, {});
    if (!most.has_value()) return;
    EXPECT_EQ(most->workers, wide.Bound({}, {})->workers + 3);
  }));
}

TEST_F(RingAllotmentTest, NoWorkerFitsWhereNoneCouldBeReplaced) {
  EXPECT_TRUE(HoldsFor(kUser + 20, 24 << 10, [] {  // the ring that measures, and one worker's
    policy::SupervisorOptions options;
    options.workers = 1;
    const absl::Status refused = CheckLockedMemory(options);
    if (refused.ok()) return;
    EXPECT_THAT(std::string(refused.message()),
                HasSubstr("1 worker and, in a roll, of 1 successor"));
    EXPECT_THAT(std::string(refused.message()), HasSubstr("enough for 0; "));
  }));
}

}  // namespace
}  // namespace uc::coordinator
