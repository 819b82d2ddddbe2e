#include "core/exec/environment.h"

#include <cstdlib>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace uc::exec {
namespace {

using testing::Contains;
using testing::IsSupersetOf;
using testing::Not;
using testing::StartsWith;

class EnvironmentTest : public testing::Test {
 protected:
  EnvironmentTest() {
    unsetenv("LD_PRELOAD");
    unsetenv("UV_USE_IO_URING");
    place_.cluster = "shop";
    place_.slot = 2;
    place_.generation = 7;
    place_.notify_socket = "@notify";
  }

  ProgramPlace place_;
};

TEST_F(EnvironmentTest, SlotInOurWordsAndInPm2s) {
  EXPECT_THAT(
      EnvironmentOf(place_),
      IsSupersetOf({"URING_CLUSTER_NAME=shop", "URING_CLUSTER_SLOT=2", "URING_CLUSTER_GENERATION=7",
                    "NODE_APP_INSTANCE=2", "INSTANCE_ID=2", "pm_id=2", "NOTIFY_SOCKET=@notify"}));
}

TEST_F(EnvironmentTest, PortIsToldWhenThereIsOne) {
  EXPECT_THAT(EnvironmentOf(place_), Not(Contains(StartsWith("PORT="))));
  place_.port = 8080;
  EXPECT_THAT(EnvironmentOf(place_), Contains("PORT=8080"));
}

TEST_F(EnvironmentTest, PreloadLibraryComesBeforeThoseThatAreThereAlready) {
  EXPECT_THAT(EnvironmentOf(place_), Not(Contains(StartsWith("LD_PRELOAD="))));
  place_.preload = {.library = "/run/ours.so", .door = "@door"};
  EXPECT_THAT(EnvironmentOf(place_),
              IsSupersetOf({"LD_PRELOAD=/run/ours.so", "URING_CLUSTER_LISTEN_DOOR=@door",
                            "UV_USE_IO_URING=0"}));
  setenv("LD_PRELOAD", "/lib/theirs.so", 1);
  EXPECT_THAT(EnvironmentOf(place_), Contains("LD_PRELOAD=/run/ours.so:/lib/theirs.so"));
}

TEST_F(EnvironmentTest, OperatorHasTheLastWord) {
  place_.preload.emplace();
  setenv("UV_USE_IO_URING", "1", 1);
  EXPECT_THAT(EnvironmentOf(place_), Not(Contains(StartsWith("UV_USE_IO_URING="))));
  place_.environment = {"PORT=1"};
  place_.port = 8080;
  EXPECT_EQ(EnvironmentOf(place_).back(), "PORT=1");
}

}  // namespace
}  // namespace uc::exec
