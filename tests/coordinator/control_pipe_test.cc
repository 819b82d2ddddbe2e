#include "core/coordinator/control_pipe.h"

#include <fcntl.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "core/base/fd.h"
#include "core/policy/command.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace uc::coordinator {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class LineCutterTest : public testing::Test {
 protected:
  std::vector<std::string> Take(absl::string_view bytes) {
    std::vector<std::string> lines;
    overlong_ += cutter_.Take(bytes, &lines);
    return lines;
  }

  LineCutter cutter_;
  int overlong_ = 0;
};

TEST_F(LineCutterTest, LinesComeOutWithoutTheirNewlines) {
  EXPECT_THAT(Take("scale +1\nreload\n"), ElementsAre("scale +1", "reload"));
}

TEST_F(LineCutterTest, TornLineIsOneLine) {
  EXPECT_THAT(Take("sca"), IsEmpty());
  EXPECT_THAT(Take("le 4\nre"), ElementsAre("scale 4"));
  EXPECT_THAT(Take("load\n"), ElementsAre("reload"));
}

TEST_F(LineCutterTest, EmptyLinesAreNothing) {
  EXPECT_THAT(Take("\n\n\nping\n"), ElementsAre("ping"));
}

TEST_F(LineCutterTest, TenMegabytesWithoutNewlineCostOneLine) {
  for (int i = 0; i < 2560; ++i) EXPECT_THAT(Take(std::string(4096, 'x')), IsEmpty());
  EXPECT_THAT(Take("\nping\n"), ElementsAre("ping"));
  EXPECT_EQ(overlong_, 1);
}

TEST_F(LineCutterTest, LongestLinePassesAndOneMoreByteDoesNot) {
  const std::string longest(policy::kLineBytesMax - 1, 'a');
  EXPECT_THAT(Take(longest + "\n"), ElementsAre(longest));
  EXPECT_THAT(Take(longest + "a\n"), IsEmpty());
  EXPECT_EQ(overlong_, 1);
}

TEST_F(LineCutterTest, BinaryPassesUnchanged) {
  const std::string binary("\0\xff\x01", 3);
  EXPECT_THAT(Take(binary + "\n"), ElementsAre(binary));
}

TEST(ControlPipeTest, OneTurnReadsABoundedAmount) {
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_NONBLOCK | O_CLOEXEC), 0);
  const Fd reader(ends[0]), writer(ends[1]);
  ASSERT_GE(fcntl(writer.get(), F_SETPIPE_SZ, 1 << 18), 1 << 18);
  const std::string flood(200'000, '\n');
  ASSERT_EQ(write(writer.get(), flood.data(), flood.size()), ssize_t{200'000});
  ASSERT_EQ(write(writer.get(), "ping\n", 5), 5);
  ControlPipe pipe(reader.get());
  int turns = 1;
  int overlong = 0;
  std::vector<std::string> lines = pipe.ReadLines(&overlong);
  for (; lines.empty(); ++turns) lines = pipe.ReadLines(&overlong);
  EXPECT_THAT(lines, ElementsAre("ping"));
  EXPECT_GE(turns, 200'000 / static_cast<int>(ControlPipe::kReadBytesMax));
}

}  // namespace
}  // namespace uc::coordinator
