// Memory that is on its way back, as an ordinary user with an id of its own meets it.
#include "core/ring/awaited_ring.h"

#include <grp.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "core/base/clock.h"
#include "core/ring/ring_size.h"
#include "gtest/gtest.h"
#include "tests/ring/ordinary_user.h"

namespace uc::ring {
namespace {

constexpr uid_t kUser = 64131;
constexpr uint64_t kLimit = 256 << 10;

using Rings = std::vector<std::unique_ptr<Ring>>;

// Until none of the smallest can be had any more. Empty: a kernel that does not count rings.
Rings TakeAll() {
  Rings rings;
  while (rings.size() <= kLimit / LockedBytes(kRingEntriesLeast)) {
    absl::StatusOr<std::unique_ptr<Ring>> ring = Ring::Create(WithEntries(kRingEntriesLeast));
    if (!ring.ok()) return rings;
    rings.push_back(*std::move(ring));
  }
  return {};
}

class AwaitedRingTest : public OrdinaryUserTest {};

TEST_F(AwaitedRingTest, MemoryOfThoseWhoHaveJustLeftIsWaitedFor) {
  EXPECT_TRUE(HoldsFor(kUser, kLimit, [] {
    Rings rings = TakeAll();
    for (size_t i = 0; i < 2 * rings.size(); ++i) {
      rings[i % rings.size()] = nullptr;
      absl::StatusOr<std::unique_ptr<Ring>> next = AwaitRing(kRingEntriesLeast, RingPatience());
      ASSERT_TRUE(next.ok()) << i << ": " << next.status();
      rings[i % rings.size()] = *std::move(next);
    }
  }));
}

TEST_F(AwaitedRingTest, TheAllottedIsWaitedForBeforeASmallerOneIsTaken) {
  EXPECT_TRUE(HoldsFor(kUser + 1, kLimit, [] {
    Rings rings = TakeAll();
    if (rings.empty()) return;
    rings.clear();
    absl::StatusOr<std::unique_ptr<Ring>> ring = AwaitRing(1024, RingPatience());
    ASSERT_TRUE(ring.ok()) << ring.status();
    EXPECT_NE((*ring)->description().find("1024 entries"), std::string::npos);
  }));
}

TEST_F(AwaitedRingTest, ASmallerOneIsBetterThanNone) {
  EXPECT_TRUE(HoldsFor(kUser + 2, kLimit, [] {
    Rings rings = TakeAll();
    if (rings.empty()) return;
    rings.resize(rings.size() - 3);
    absl::StatusOr<std::unique_ptr<Ring>> ring = AwaitRing(1024, RingPatience());
    ASSERT_TRUE(ring.ok()) << ring.status();
    EXPECT_EQ((*ring)->description().find("1024 entries"), std::string::npos);
  }));
}

TEST_F(AwaitedRingTest, PatienceEnds) {
  EXPECT_TRUE(HoldsFor(kUser + 3, kLimit, [] {
    const Rings rings = TakeAll();
    if (rings.empty()) return;
    const RingPatience patience = {absl::Milliseconds(20), absl::Milliseconds(60)};
    const absl::Time begun = MonotonicNow();
    EXPECT_TRUE(absl::IsResourceExhausted(AwaitRing(1024, patience).status()));
    EXPECT_GE(MonotonicNow() - begun, patience.for_any);
  }));
}

}  // namespace
}  // namespace uc::ring
