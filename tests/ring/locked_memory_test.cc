// RLIMIT_MEMLOCK as the kernel counts it, seen by an ordinary user with an id of its own.
#include "core/ring/locked_memory.h"

#include <sys/resource.h>

#include <memory>
#include <vector>

#include "core/ring/ring.h"
#include "core/ring/ring_size.h"
#include "gtest/gtest.h"
#include "tests/ring/ordinary_user.h"

namespace uc::ring {
namespace {

constexpr uid_t kUser = 64110;
constexpr uint64_t kLimit = 8 << 20;
constexpr uint64_t kPage = 4096;

class LockedMemoryTest : public OrdinaryUserTest {};

TEST_F(LockedMemoryTest, NothingIsCountedForWhoMayLockAnyAmount) {
  EXPECT_FALSE(LockedMemory::Begin().has_value());
}

TEST_F(LockedMemoryTest, RingsLockWhatTheSizeSays) {
  EXPECT_TRUE(HoldsFor(kUser, kLimit, [] {
    const std::optional<LockedMemory> memory = LockedMemory::Begin();
    if (!memory.has_value()) return;  // a kernel that does not count rings
    EXPECT_EQ(memory->limit(), kLimit);
    std::vector<std::unique_ptr<Ring>> rings;
    for (const uint32_t entries : kRingEntries) {
      const uint64_t before = memory->Free();
      absl::StatusOr<std::unique_ptr<Ring>> ring = Ring::Create(WithEntries(entries));
      ASSERT_TRUE(ring.ok()) << ring.status();
      rings.push_back(*std::move(ring));
      EXPECT_EQ(before - memory->Free(), LockedBytes(entries)) << entries;
    }
  }));
}

TEST_F(LockedMemoryTest, LookingTakesNothing) {
  EXPECT_TRUE(HoldsFor(kUser + 1, kLimit, [] {
    const std::optional<LockedMemory> memory = LockedMemory::Begin();
    if (!memory.has_value()) return;
    const uint64_t before = memory->Free();
    for (int i = 0; i < 100; ++i) EXPECT_EQ(memory->Free(), before);
    EXPECT_GE(before, kLimit - 4 * kPage);  // but for our own small ring
    rlimit limit;
    getrlimit(RLIMIT_MEMLOCK, &limit);
    EXPECT_EQ(limit.rlim_cur, kLimit);
  }));
}

TEST_F(LockedMemoryTest, ManyRingsOfTheSizeThatFitsCanBeHad) {
  EXPECT_TRUE(HoldsFor(kUser + 2, kLimit, [] {
    const std::optional<LockedMemory> memory = LockedMemory::Begin();
    if (!memory.has_value()) return;
    const uint32_t entries = EntriesThatFit(memory->Free(), 256 + 16);
    std::vector<std::unique_ptr<Ring>> rings;
    for (int i = 0; i < 256; ++i) {
      absl::StatusOr<std::unique_ptr<Ring>> ring = Ring::Create(WithEntries(entries));
      ASSERT_TRUE(ring.ok()) << i << ": " << ring.status();
      rings.push_back(*std::move(ring));
    }
  }));
}

TEST_F(LockedMemoryTest, NoLimitAtAllLeavesNothing) {
  EXPECT_TRUE(HoldsFor(kUser + 3, 0, [] {
    const std::optional<LockedMemory> memory = LockedMemory::Begin();
    if (!memory.has_value()) return;
    EXPECT_EQ(memory->Free(), 0u);
    EXPECT_FALSE(Ring::Create(WithEntries(kRingEntriesLeast)).ok());
  }));
}

}  // namespace
}  // namespace uc::ring
