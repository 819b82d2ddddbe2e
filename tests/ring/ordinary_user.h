// OrdinaryUser: a story that is told by an ordinary user with a limit on the memory that it may lock.
//
// RLIMIT_MEMLOCK is shared per user, and comes back late: each story has a user id that is nobody else's.
#ifndef TESTS_RING_ORDINARY_USER_H_
#define TESTS_RING_ORDINARY_USER_H_

#include <sys/types.h>

#include <cstdint>
#include <functional>

#include "gtest/gtest.h"

namespace uc::ring {

class OrdinaryUserTest : public testing::Test {
 protected:
  void SetUp() override;
  // In a child that is this user with this limit. Failures are in its output; false: there were some.
  static bool HoldsFor(uid_t user, uint64_t limit_bytes, const std::function<void()>& story);
};

}  // namespace uc::ring

#endif  // TESTS_RING_ORDINARY_USER_H_
