#include "core/exec/node_channel.h"

#include <sys/socket.h>

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace uc::exec {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class NodeChannelTest : public testing::Test {
 protected:
  NodeChannelTest() : ends_(*NodeChannel::Make()) {}

  void ProgramSays(const std::string& bytes) {
    ASSERT_EQ(send(ends_.second.get(), bytes.data(), bytes.size(), 0),
              static_cast<ssize_t>(bytes.size()));
  }
  std::vector<std::string> Heard() { return ends_.first.Receive(&open_); }

  std::pair<NodeChannel, Fd> ends_;
  bool open_ = true;
};

TEST_F(NodeChannelTest, MessageIsOneLineOfJson) {
  ASSERT_TRUE(ends_.first.Send("\"shutdown\""));
  char buffer[64];
  const ssize_t size = recv(ends_.second.get(), buffer, sizeof(buffer), 0);
  EXPECT_EQ(std::string(buffer, static_cast<size_t>(size)), "\"shutdown\"\n");
}

TEST_F(NodeChannelTest, MessagesComeWholeHoweverTheyAreCut) {
  ProgramSays("\"rea");
  EXPECT_THAT(Heard(), IsEmpty());
  ProgramSays("dy\"\n{\"a\":1}\n\n\"x");
  EXPECT_THAT(Heard(), ElementsAre("\"ready\"", "{\"a\":1}"));
  ProgramSays("\"\n");
  EXPECT_THAT(Heard(), ElementsAre("\"x\""));
  EXPECT_TRUE(open_);
}

TEST_F(NodeChannelTest, EndIsTold) {
  ProgramSays("\"last\"\n");
  ends_.second.Reset();
  EXPECT_THAT(Heard(), ElementsAre("\"last\""));
  EXPECT_FALSE(open_);
}

// --- Errors ---

TEST_F(NodeChannelTest, OverlongMessageIsDroppedAndTheNextOneIsHeard) {
  const std::string part(16 * 1024, 'x');
  for (int i = 0; i < 5; ++i) {
    ProgramSays(part);
    EXPECT_THAT(Heard(), IsEmpty());
  }
  ProgramSays("\n\"ready\"\n");
  EXPECT_THAT(Heard(), ElementsAre("\"ready\""));
}

TEST_F(NodeChannelTest, SendingToNobodyFailsAndDoesNoHarm) {
  ends_.second.Reset();
  EXPECT_FALSE(ends_.first.Send("\"shutdown\""));
}

}  // namespace
}  // namespace uc::exec
