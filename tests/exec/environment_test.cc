#include "core/exec/environment.h"

#include <pwd.h>
#include <unistd.h>

#include <cstdlib>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/exec/carried.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace uc::exec {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::IsSupersetOf;
using testing::Not;
using testing::StartsWith;
using testing::UnorderedElementsAre;

class EnvironmentTest : public testing::Test {
 protected:
  EnvironmentTest() {
    place_.cluster = "shop";
    place_.slot = 2;
    place_.generation = 7;
    place_.notify_socket = "/folder/socket";
  }
  std::vector<std::string> Of() const { return EnvironmentOf(place_); }

  ProgramPlace place_;
};

TEST_F(EnvironmentTest, SlotInOurWordsAndInPm2s) {
  EXPECT_THAT(Of(), IsSupersetOf({"URING_CLUSTER_NAME=shop", "URING_CLUSTER_SLOT=2",
                                  "URING_CLUSTER_GENERATION=7", "NODE_APP_INSTANCE=2",
                                  "INSTANCE_ID=2", "pm_id=2", "NOTIFY_SOCKET=/folder/socket"}));
}

TEST_F(EnvironmentTest, PortIsToldWhenThereIsOne) {
  EXPECT_THAT(Of(), Not(Contains(StartsWith("PORT="))));
  place_.port = 8080;
  EXPECT_THAT(Of(), Contains("PORT=8080"));
}

TEST_F(EnvironmentTest, OperatorsWordGoesBeforeWhatIsInheritedAndWhatPm2WouldSay) {
  place_.inherited = {"A=inherited", "B=inherited"};
  place_.environment = {"A=given", "PORT=1", "pm_id=9", "LINES=one\ntwo", "EMPTY=", "A=last"};
  place_.port = 8080;
  EXPECT_THAT(Of(), IsSupersetOf({"A=last", "B=inherited", "PORT=1", "pm_id=9", "LINES=one\ntwo",
                                  "EMPTY="}));
}

TEST_F(EnvironmentTest, OurLibraryComesBeforeTheOperatorsAndThatBeforeTheInherited) {
  EXPECT_THAT(Of(), Not(Contains(StartsWith("LD_PRELOAD="))));
  place_.preload = {.library = "/run/ours.so", .door = "@door"};
  EXPECT_THAT(Of(), IsSupersetOf({"LD_PRELOAD=/run/ours.so", "URING_CLUSTER_LISTEN_DOOR=@door"}));
  place_.inherited = {"LD_PRELOAD=/lib/inherited.so"};
  EXPECT_THAT(Of(), Contains("LD_PRELOAD=/run/ours.so:/lib/inherited.so"));
  place_.environment = {"LD_PRELOAD=/lib/a.so /lib/b.so"};
  EXPECT_THAT(Of(), Contains("LD_PRELOAD=/run/ours.so:/lib/a.so /lib/b.so:/lib/inherited.so"));
  place_.preload.reset();
  EXPECT_THAT(Of(), Contains("LD_PRELOAD=/lib/a.so /lib/b.so:/lib/inherited.so"));
}

TEST_F(EnvironmentTest, WhatIsOursToSetNobodyElseSets) {
  place_.preload = {.library = "/run/ours.so", .door = "@door"};
  const std::vector<std::string> theirs = {"URING_CLUSTER_NAME=x",
                                           "URING_CLUSTER_SLOT=x",
                                           "URING_CLUSTER_GENERATION=x",
                                           "URING_CLUSTER_LISTEN_DOOR=x",
                                           "NOTIFY_SOCKET=x",
                                           "UV_USE_IO_URING=1",
                                           "LISTEN_FDS=x",
                                           "LISTEN_PID=x",
                                           "NODE_CHANNEL_FD=x"};
  place_.environment = theirs;
  for (const std::string& variable : theirs) EXPECT_THAT(Of(), Not(Contains(variable)));
  EXPECT_THAT(Of(), IsSupersetOf({"UV_USE_IO_URING=0", "NOTIFY_SOCKET=/folder/socket"}));
  place_.environment.clear();
  place_.inherited = theirs;
  for (const std::string& variable : theirs) EXPECT_THAT(Of(), Not(Contains(variable)));
}

TEST_F(EnvironmentTest, WithoutTheLibraryLibuvIsTheOperatorsAffairAndNoOldDoorIsLeft) {
  place_.inherited = {"URING_CLUSTER_LISTEN_DOOR=@outer"};
  place_.environment = {"UV_USE_IO_URING=1"};
  EXPECT_THAT(Of(), Contains("UV_USE_IO_URING=1"));
  EXPECT_THAT(Of(), Not(Contains(StartsWith("URING_CLUSTER_LISTEN_DOOR="))));
}

class InheritedTest : public testing::Test {
 protected:
  InheritedTest() {
    setenv("UC_SECRET", "of root", 1);
    setenv("LC_ALL", "C.UTF-8", 1);
    setenv("LD_PRELOAD_OF_TEST", "x", 1);
  }
  ~InheritedTest() override {
    for (const char* name : {"UC_SECRET", "LC_ALL", "LD_PRELOAD_OF_TEST"}) unsetenv(name);
  }
  static LaunchOptions AsRoot() {
    LaunchOptions options;
    options.identity = Identity{.user = "root", .home = "/root", .group = "root"};
    return options;
  }
};

TEST_F(InheritedTest, WithoutAUserItIsAllOfOurs) {
  EXPECT_THAT(InheritedEnvironment({}), IsSupersetOf({"UC_SECRET=of root", "LC_ALL=C.UTF-8"}));
}

TEST_F(InheritedTest, WithAUserOnlyTheUserThePlaceAndTheLanguage) {
  for (const std::string& variable : InheritedEnvironment(AsRoot())) {
    const std::string name = variable.substr(0, variable.find('='));
    EXPECT_TRUE(absl::StartsWith(name, "LC_") || name == "PATH" || name == "LANG" || name == "TZ" ||
                name == "TERM" || name == "HOME" || name == "SHELL" || name == "USER" ||
                name == "LOGNAME")
        << variable;
  }
  const passwd* const root = getpwnam("root");
  EXPECT_THAT(
      InheritedEnvironment(AsRoot()),
      IsSupersetOf({std::string("LC_ALL=C.UTF-8"), absl::StrCat("PATH=", getenv("PATH")),
                    absl::StrCat("HOME=", root->pw_dir), absl::StrCat("SHELL=", root->pw_shell),
                    std::string("USER=root"), std::string("LOGNAME=root")}));
}

TEST_F(InheritedTest, KeepEnvKeepsAllButWhoItIs) {
  setenv("USER", "somebody", 1);
  LaunchOptions options = AsRoot();
  options.keep_environment = true;
  ProgramPlace place;
  place.inherited = InheritedEnvironment(options);
  EXPECT_THAT(place.inherited, Not(Contains("USER=somebody")));
  EXPECT_THAT(EnvironmentOf(place), IsSupersetOf({"UC_SECRET=of root", "USER=root"}));
}

TEST_F(InheritedTest, WhatIsOnlyCarriedIsNotInherited) {
  setenv("URING_CLUSTER_ENV_LD_PRELOAD", "/lib/theirs.so", 1);
  setenv("URING_CLUSTER_ENV_LINES", "one\ntwo\xff", 1);
  setenv("URING_CLUSTER_UPGRADE_FD", "9", 1);
  CarryDescriptorLimit(1024);
  EXPECT_THAT(InheritedEnvironment({}), Not(Contains(StartsWith("URING_CLUSTER_"))));
  EXPECT_THAT(CarriedEnvironment(),
              UnorderedElementsAre("LD_PRELOAD=/lib/theirs.so", "LINES=one\ntwo\xff"));
  EXPECT_EQ(CarriedDescriptorLimit(), 1024u);
  EXPECT_EQ(Carried("A=b"), "URING_CLUSTER_ENV_A=b");
  unsetenv("URING_CLUSTER_ENV_LD_PRELOAD");
  TakeCarriedEnvironment();
  EXPECT_STREQ(getenv("LINES"), "one\ntwo\xff");
  EXPECT_THAT(CarriedEnvironment(), IsEmpty());
  EXPECT_EQ(CarriedDescriptorLimit(), 0u);
  unsetenv("URING_CLUSTER_UPGRADE_FD");
  unsetenv("LINES");
}

TEST(OverruledTest, NamesWhatOfTheOperatorsIsOurs) {
  unsetenv("UV_USE_IO_URING");
  LaunchOptions options;
  options.environment = {"A=b", "LD_PRELOAD=/x.so", "PORT=1"};
  EXPECT_THAT(OverruledIn(options), IsEmpty());
  options.environment = {"NOTIFY_SOCKET=/x", "UV_USE_IO_URING=1", "URING_CLUSTER_SLOT=3"};
  EXPECT_THAT(OverruledIn(options),
              ElementsAre("URING_CLUSTER_SLOT", "NOTIFY_SOCKET", "UV_USE_IO_URING"));
  options.sockets = SocketWay::kListenFds;
  options.environment = {"UV_USE_IO_URING=1"};
  EXPECT_THAT(OverruledIn(options), IsEmpty());
}

}  // namespace
}  // namespace uc::exec
