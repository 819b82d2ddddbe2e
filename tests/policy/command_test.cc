#include "core/policy/command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/ascii.h"

namespace uc::policy {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

std::string Ticket(absl::string_view line) {
  std::string ticket = "left over";
  ParseCommandLine(line, &ticket).status().IgnoreError();
  return ticket;
}

// What the line means, spelled the one way; or the error.
std::string Read(absl::string_view line) {
  std::string ticket;
  const absl::StatusOr<CommandLine> parsed = ParseCommandLine(line, &ticket);
  if (parsed.ok()) return ToString(parsed->command);
  EXPECT_EQ(parsed.status().code(), absl::StatusCode::kInvalidArgument);
  return "error: " + std::string(parsed.status().message());
}

TEST(CommandTest, EveryCommandReadsBackAsItWasWritten) {
  for (const char* line :
       {"scale 4", "scale +3", "scale -1", "scale +0", "scale 0", "reload", "restart", "restart 2",
        "stop", "stop graceful", "stop now", "reopen-logs", "upgrade", "reset", "ping"}) {
    EXPECT_EQ(Read(line), line);
  }
}

TEST(CommandTest, BlanksAroundWordsDoNotMatter) { EXPECT_EQ(Read("  scale \t +3 \r"), "scale +3"); }

TEST(CommandTest, TicketIsKeptEvenWhenTheCommandIsWrong) {
  EXPECT_EQ(Ticket("@a-1 ping"), "a-1");
  EXPECT_EQ(Ticket("@a-1 fly"), "a-1");
  EXPECT_EQ(Ticket("@a-1"), "a-1");
  EXPECT_EQ(Ticket("ping"), "");
}

TEST(CommandTest, TicketIsAFileNameAndNothingElse) {
  EXPECT_EQ(Ticket("@" + std::string(64, 'a') + " ping"), std::string(64, 'a'));
  for (const std::string& bad : {std::string("../x"), std::string("a/b"), std::string("A"),
                                 std::string(65, 'a'), std::string(), std::string("a\0b", 3)}) {
    EXPECT_EQ(Ticket("@" + bad + " ping"), "");
    EXPECT_THAT(Read("@" + bad + " ping"), HasSubstr("error: ticket"));
  }
}

TEST(CommandTest, UnknownVerbIsToldWhatThereIs) {
  EXPECT_THAT(Read("fly 3"), AllOf(HasSubstr("unknown command \"fly\""), HasSubstr("reload")));
  EXPECT_THAT(Read(""), HasSubstr("empty command"));
}

TEST(CommandTest, ControlCharactersNeverReachTheMessage) {
  std::string line = "fl\x1b[31my";
  for (int byte = 0; byte < 256; ++byte) line += static_cast<char>(byte);
  for (const std::string& bad : {line, "scale " + line, "stop " + line, "@" + line}) {
    for (const char byte : Read(bad)) EXPECT_TRUE(absl::ascii_isprint(byte)) << int{byte};
  }
}

TEST(CommandTest, ScaleShowsTheRightForm) {
  for (const char* bad : {"+", "-", "3.5", "x", "99999999999", "--1", "+-1", "1e3", "0x4"}) {
    EXPECT_THAT(Read(std::string("scale ") + bad), HasSubstr("expected N, +N or -N")) << bad;
  }
  EXPECT_THAT(Read("scale + 3"), HasSubstr("no blank inside"));
  EXPECT_THAT(Read("scale"), HasSubstr("scale +N"));
  EXPECT_FALSE(ParseScale("").ok());
}

TEST(CommandTest, WrongArgumentsAreNamed) {
  EXPECT_THAT(Read("restart -1"), HasSubstr("number of a slot"));
  EXPECT_THAT(Read("stop later"), HasSubstr("stop graceful"));
  EXPECT_THAT(Read("ping me"), HasSubstr("too many words"));
  EXPECT_THAT(Read("fly me to"), HasSubstr("unknown command"));
}

TEST(CommandTest, LineThatIsNoAtomicWriteIsRefused) {
  const std::string longest = "ping" + std::string(kLineBytesMax - 1 - 4, ' ');
  EXPECT_EQ(Read(longest), "ping");
  EXPECT_THAT(Read(longest + " "), HasSubstr("bytes"));
}

}  // namespace
}  // namespace uc::policy
