// A slot that is retired goes on accepting for a while when nobody is sent to it any more.
#include "tests/policy/cluster_story.h"

namespace uc::policy {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class GraceTest : public ClusterStory {
 protected:
  void SetUp() override {
    options_.retirement = Retirement::kMigrate;
    options_.retire_grace = absl::Seconds(1);
  }
};

TEST_F(GraceTest, RetiredSlotServesOnForItsGrace) {
  BootKept(2);
  const CommandId scale = Give("scale 1");
  EXPECT_THAT(Asked(), ElementsAre("live 1 off"));
  Pass(absl::Milliseconds(999));
  EXPECT_TRUE(Serving(1));
  Pass(absl::Milliseconds(1));
  EXPECT_THAT(Asked(), ElementsAre("evacuate 1", "drain 1/2 hand-over to 0/1"));
  Leaves({1, 2});
  EXPECT_THAT(Answer(scale), HasSubstr("done: 1 of 1"));
}

TEST_F(GraceTest, SlotWantedAgainWithinItsGraceNeverStopped) {
  BootKept(2);
  Give("scale 1");
  const CommandId up = Give("scale 2");
  EXPECT_THAT(Asked(), ElementsAre("live 1 on"));
  EXPECT_THAT(Answer(up), HasSubstr("done: 2 of 2"));
  Pass(absl::Hours(1));
  EXPECT_THAT(Asked(), IsEmpty());
}

TEST_F(GraceTest, EachRetirementHasItsOwnGrace) {
  BootKept(2);
  Give("scale 1");
  Pass(absl::Milliseconds(900));
  Give("scale 2");
  Give("scale 1");
  Pass(absl::Milliseconds(999));
  EXPECT_TRUE(Serving(1));
}

TEST_F(GraceTest, WorkersInTheirGraceAreNotCounted) {
  BootKept(3);
  Give("scale 1");
  Give("ping");
  EXPECT_EQ(LastAnswer(), "done: pong: 1 of 1 worker serving");
}

TEST_F(GraceTest, DeadOneHasNoGrace) {
  BootKept(2);
  Give("scale 1");
  Dies({1, 2});
  EXPECT_THAT(Asked(), ElementsAre("evacuate 1"));
  EXPECT_THAT(Reported(), ElementsAre("slot 1, generation 2: killed by SIGSEGV; it was retiring"));
}

TEST_F(GraceTest, SlotInItsGraceIsLiveAgainWhenAllOthersDie) {
  BootKept(2);
  const CommandId scale = Give("scale 1");
  Dies({0, 1});
  EXPECT_THAT(Asked(), ElementsAre("live 0 off", "live 1 on", "spawn 0/3", "adopt 0 by 1/2"));
  Pass(absl::Seconds(5));
  EXPECT_TRUE(Serving(1));
  Ready({0, 3});
  EXPECT_THAT(Asked(), ElementsAre("live 0 on", "live 1 off", "release 0 by 1/2"));
  Pass(absl::Seconds(1));
  EXPECT_THAT(Asked(), ElementsAre("evacuate 1", "drain 1/2 hand-over to 0/3"));
  Leaves({1, 2});
  EXPECT_THAT(Answer(scale), HasSubstr("done"));
}

TEST_F(GraceTest, OnlyOneOfThoseIsLiveAgain) {
  BootKept(3);
  Give("scale 1");
  Dies({0, 1});
  EXPECT_THAT(Live(), ElementsAre(1));
}

TEST_F(GraceTest, SuspectsGraceBeganWhenItWasSteeredRound) {
  BootKept(2);
  Observed({1, 2}, Health::kSuspect);
  Pass(absl::Milliseconds(400));
  Give("scale 1");
  EXPECT_THAT(Asked(), IsEmpty());
  Pass(absl::Milliseconds(599));
  EXPECT_THAT(Asked(), IsEmpty());
  Pass(absl::Milliseconds(1));
  EXPECT_THAT(Asked(), ElementsAre("release 1 by 0/1", "evacuate 1", "drain 1/2 hand-over to 0/1"));
}

TEST_F(GraceTest, SuspectOfLongAgoHasNoneLeft) {
  BootKept(2);
  Observed({1, 2}, Health::kSuspect);
  Pass(absl::Seconds(1));
  Give("scale 1");
  EXPECT_THAT(Asked(), ElementsAre("release 1 by 0/1", "evacuate 1", "drain 1/2 hand-over to 0/1"));
}

TEST_F(GraceTest, StopDoesNotWaitForIt) {
  BootKept(2);
  Give("scale 1");
  Give("stop");
  EXPECT_THAT(Asked(), ElementsAre("live 0 off", "drain 0/1 prompt", "drain 1/2 prompt"));
  Pass(absl::Seconds(2));
  EXPECT_THAT(Asked(), IsEmpty());
}

}  // namespace
}  // namespace uc::policy
