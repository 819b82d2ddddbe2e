#include "core/link/worker_mark.h"

#include <optional>
#include <string>

#include "gtest/gtest.h"

namespace uc::link {
namespace {

TEST(WorkerMarkTest, ComesBackAsItWas) {
  const WorkerMark mark = {4711, 98765432109, 4700, "/run/uring-cluster/a b/web"};
  const std::optional<WorkerMark> back = ParseWorkerMark(ToText(mark));
  ASSERT_TRUE(back.has_value());
  EXPECT_EQ(back->pid, mark.pid);
  EXPECT_EQ(back->start, mark.start);
  EXPECT_EQ(back->session, mark.session);
  EXPECT_EQ(back->directory, mark.directory);
}

TEST(WorkerMarkTest, WhatIsNoneIsNone) {
  for (const char* text :
       {"", "1", "5 6 7", "5 6 7 ", "x 6 7 /run/web", "5 x 7 /run/web", "5 6 x /run/web",
        "0 6 7 /run/web", "-5 6 7 /run/web", "1 6 7 /run/web", "99999999999 6 7 /run/web"}) {
    EXPECT_FALSE(ParseWorkerMark(text).has_value()) << text;
  }
}

}  // namespace
}  // namespace uc::link
