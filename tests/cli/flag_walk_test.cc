#include "tools/flag_walk.h"

#include <cstdint>
#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/reflection.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

ABSL_FLAG(int64_t, i, 1, "workers");
ABSL_FLAG(int64_t, try_count, 1, "a number");
ABSL_FLAG(bool, try_color, false, "a switch");
ABSL_FLAG(uc::tools::DurationFlag, try_wait, {absl::Seconds(1)}, "a time");
ABSL_FLAG(uc::tools::TextList, try_listen, {}, "addresses");
ABSL_FLAG(std::string, try_text, "", "a text");
ABSL_FLAG(std::string, try_other, "", "of another verb");

namespace uc::tools {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;
using testing::UnorderedElementsAre;

class FlagWalkTest : public testing::Test {
 protected:
  ~FlagWalkTest() override {
    for (const std::string& path : files_) std::remove(path.c_str());
  }
  absl::StatusOr<WalkResult> Walk(const std::vector<std::string>& arguments) {
    return WalkFlags("list", arguments, allowed_, {"try_listen"});
  }
  WalkResult Taken(const std::vector<std::string>& arguments) {
    absl::StatusOr<WalkResult> result = Walk(arguments);
    EXPECT_TRUE(result.ok()) << result.status();
    return result.ok() ? *std::move(result) : WalkResult();
  }
  // One line of text, for the operator.
  std::string Refusal(const std::vector<std::string>& arguments) {
    const absl::Status status = Walk(arguments).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(status.message().find('\n'), std::string::npos);
    return std::string(status.message());
  }
  std::string File(const std::string& text) {
    files_.push_back(absl::StrCat(testing::TempDir(), "/flags-", files_.size()));
    std::ofstream(files_.back()) << text;
    return files_.back();
  }
  absl::Duration Wait() { return absl::GetFlag(FLAGS_try_wait).value; }

  absl::FlagSaver saver_;
  std::vector<std::string> files_;
  FlagSet allowed_ = {"i", "try_count", "try_color", "try_wait", "try_listen", "try_text"};
};

TEST_F(FlagWalkTest, NoArgumentsAreNothing) {
  const WalkResult result = Taken({});
  EXPECT_THAT(result.positionals, IsEmpty());
  EXPECT_THAT(result.given, IsEmpty());
  EXPECT_FALSE(result.help);
}

TEST_F(FlagWalkTest, ValueBehindEqualsIsTaken) {
  EXPECT_THAT(Taken({"--try_count=7"}).given, ElementsAre("try_count"));
  EXPECT_EQ(absl::GetFlag(FLAGS_try_count), 7);
}

TEST_F(FlagWalkTest, ValueInTheNextArgumentIsTaken) {
  EXPECT_THAT(Taken({"--try_count", "7", "rest"}).positionals, ElementsAre("rest"));
  EXPECT_EQ(absl::GetFlag(FLAGS_try_count), 7);
}

TEST_F(FlagWalkTest, DashesAndUnderscoresAreTheSame) {
  Taken({"--try-count=7", "--try_text", "a-b_c"});
  EXPECT_EQ(absl::GetFlag(FLAGS_try_count), 7);
  EXPECT_EQ(absl::GetFlag(FLAGS_try_text), "a-b_c");
}

TEST_F(FlagWalkTest, ShortFormsAreTaken) {
  for (const std::vector<std::string>& form :
       {std::vector<std::string>{"-i", "4"}, {"-i4"}, {"-i=4"}, {"--i=4"}}) {
    absl::SetFlag(&FLAGS_i, 1);
    EXPECT_THAT(Taken(form).given, ElementsAre("i"));
    EXPECT_EQ(absl::GetFlag(FLAGS_i), 4);
  }
}

TEST_F(FlagWalkTest, NegativeShortValueIsAValue) {
  Taken({"-i-1"});
  EXPECT_EQ(absl::GetFlag(FLAGS_i), -1);
}

TEST_F(FlagWalkTest, NumbersWithSignsAndLoneDashArePositionals) {
  EXPECT_THAT(Taken({"-1", "+2", "-", "name"}).positionals, ElementsAre("-1", "+2", "-", "name"));
}

TEST_F(FlagWalkTest, NegativeNumberCanBeAValue) {
  Taken({"--try-count", "-5"});
  EXPECT_EQ(absl::GetFlag(FLAGS_try_count), -5);
}

TEST_F(FlagWalkTest, SwitchTakesNoNextArgument) {
  EXPECT_THAT(Taken({"--try-color", "false"}).positionals, ElementsAre("false"));
  EXPECT_TRUE(absl::GetFlag(FLAGS_try_color));
}

TEST_F(FlagWalkTest, SwitchTakesAValueBehindEquals) {
  absl::SetFlag(&FLAGS_try_color, true);
  Taken({"--try-color=false"});
  EXPECT_FALSE(absl::GetFlag(FLAGS_try_color));
}

TEST_F(FlagWalkTest, NoTurnsASwitchOff) {
  for (const char* form : {"--no-try-color", "--notry_color", "--no_try_color"}) {
    absl::SetFlag(&FLAGS_try_color, true);
    EXPECT_THAT(Taken({form}).given, ElementsAre("try_color"));
    EXPECT_FALSE(absl::GetFlag(FLAGS_try_color)) << form;
  }
}

TEST_F(FlagWalkTest, NoWithTrueDoesNotTurnTheSwitchOn) {
  Walk({"--no-try-color=true"}).IgnoreError();
  EXPECT_FALSE(absl::GetFlag(FLAGS_try_color));
}

TEST_F(FlagWalkTest, NoIsOnlyForSwitches) {
  EXPECT_THAT(Refusal({"--no-try-count"}), HasSubstr("unknown flag --no-try-count"));
}

TEST_F(FlagWalkTest, LastValueWins) {
  Taken({"--try-count=1", "--try-count=2"});
  EXPECT_EQ(absl::GetFlag(FLAGS_try_count), 2);
}

TEST_F(FlagWalkTest, RepeatableFlagGathersItsValues) {
  Taken({"--try-listen", ":80", "--try-listen=:81,:82"});
  EXPECT_THAT(absl::GetFlag(FLAGS_try_listen).values, ElementsAre(":80", ":81", ":82"));
}

TEST_F(FlagWalkTest, EmptyValueIsAValue) {
  absl::SetFlag(&FLAGS_try_text, "old");
  Taken({"--try-text="});
  EXPECT_EQ(absl::GetFlag(FLAGS_try_text), "");
}

TEST_F(FlagWalkTest, ValueMayHoldEquals) {
  Taken({"--try-text=a=b"});
  EXPECT_EQ(absl::GetFlag(FLAGS_try_text), "a=b");
}

TEST_F(FlagWalkTest, WhatStandsBehindTwoDashesIsLeftAlone) {
  const WalkResult result = Taken({"app", "--", "--try-count=9", "-h", "--"});
  EXPECT_THAT(result.positionals, ElementsAre("app"));
  EXPECT_THAT(result.behind, ElementsAre("--try-count=9", "-h", "--"));
  EXPECT_FALSE(result.help);
  EXPECT_EQ(absl::GetFlag(FLAGS_try_count), 1);
}

TEST_F(FlagWalkTest, HelpHasTwoForms) {
  EXPECT_TRUE(Taken({"-h"}).help);
  EXPECT_TRUE(Taken({"--help"}).help);
}

TEST_F(FlagWalkTest, UnknownFlagIsToldTheNearest) {
  EXPECT_THAT(Refusal({"--try-cuont=1"}),
              HasSubstr("unknown flag --try-cuont; did you mean --try-count?"));
}

TEST_F(FlagWalkTest, UnknownFlagFarFromAllIsToldNone) {
  EXPECT_EQ(Refusal({"--zzzzzzzzzzzzzzz"}), "unknown flag --zzzzzzzzzzzzzzz");
}

TEST_F(FlagWalkTest, UnknownFlagOfStartIsToldAboutTwoDashes) {
  const absl::Status status = WalkFlags("start", {"--zzzzzzzzzzzz"}, allowed_, {}).status();
  EXPECT_THAT(std::string(status.message()), HasSubstr("go behind --"));
}

TEST_F(FlagWalkTest, FlagOfAnotherVerbIsSaidToBeOne) {
  EXPECT_EQ(Refusal({"--try-other=1"}), "--try-other is not a flag of 'list'");
}

TEST_F(FlagWalkTest, FlagOfAnotherVerbIsNotGuessedAt) {
  allowed_.insert("try_othes");
  EXPECT_EQ(Refusal({"--try-other=1"}), "--try-other is not a flag of 'list'");
  allowed_.insert("try_others");
  EXPECT_EQ(Refusal({"--try-other=1"}),
            "--try-other is not a flag of 'list'; did you mean --try-others?");
}

// --- Where the verb is ---

TEST_F(FlagWalkTest, VerbIsTheFirstWordThatIsNoFlagAndNoValue) {
  EXPECT_EQ(VerbAt({"list", "--try-text", "x"}), 0u);
  EXPECT_EQ(VerbAt({"--try-text=x", "list"}), 1u);
  EXPECT_EQ(VerbAt({"--try-text", "x", "list"}), 2u);
  EXPECT_EQ(VerbAt({"--try_text", "x", "--try-color", "list"}), 3u);
  EXPECT_EQ(VerbAt({"--no-try-color", "--notry-color", "list"}), 2u);
  EXPECT_EQ(VerbAt({"-i", "2", "-i4", "--i=3", "start"}), 4u);
  EXPECT_EQ(VerbAt({"--flagfile", "x", "--flagfile=y", "start"}), 3u);
  EXPECT_EQ(VerbAt({"--unknown", "list"}), 1u);
  EXPECT_EQ(VerbAt({"-1"}), 0u);
}

TEST_F(FlagWalkTest, FlagsWithoutAVerbHaveNone) {
  EXPECT_EQ(VerbAt({}), 0u);
  EXPECT_EQ(VerbAt({"--try-text", "list"}), 2u);
  EXPECT_EQ(VerbAt({"--try-text"}), 1u);
  EXPECT_EQ(VerbAt({"--try-color", "--", "list"}), 3u);
}

TEST_F(FlagWalkTest, HugeUnknownFlagIsShownCut) {
  EXPECT_LT(Refusal({"--" + std::string(5000, 'z')}).size(), 300u);
  EXPECT_LT(Refusal({"--try-count=" + std::string(5000, 'z')}).size(), 300u);
}

TEST_F(FlagWalkTest, MissingValueIsSaid) {
  EXPECT_EQ(Refusal({"--try-count"}), "--try-count needs a value");
  EXPECT_THAT(Refusal({"-i"}), HasSubstr("needs a value"));
}

TEST_F(FlagWalkTest, WrongNumbersAreToldWhatIsExpected) {
  for (const char* value : {"", "x", "1.5", "99999999999999999999", "1 2"}) {
    EXPECT_THAT(Refusal({absl::StrCat("--try-count=", value)}),
                HasSubstr("a whole number is expected"));
  }
}

TEST_F(FlagWalkTest, WrongSwitchIsToldWhatIsExpected) {
  EXPECT_THAT(Refusal({"--try-color=maybe"}), HasSubstr("true or false is expected"));
}

TEST_F(FlagWalkTest, WrongTimesAreToldWhatIsExpected) {
  for (const char* value : {"", "x", "5 parsecs", "-1", "-1s", "s", "99999999999999999999"}) {
    EXPECT_THAT(Refusal({absl::StrCat("--try-wait=", value)}), HasSubstr("a time is expected"));
  }
}

TEST_F(FlagWalkTest, TimesAreMillisecondsOrHaveUnits) {
  Taken({"--try-wait=1600"});
  EXPECT_EQ(Wait(), absl::Milliseconds(1600));
  Taken({"--try-wait", "1.6s"});
  EXPECT_EQ(Wait(), absl::Milliseconds(1600));
  Taken({"--try-wait=2m"});
  EXPECT_EQ(Wait(), absl::Minutes(2));
  Taken({"--try-wait=0"});
  EXPECT_EQ(Wait(), absl::ZeroDuration());
}

TEST_F(FlagWalkTest, TimesAndListsRoundTripAsText) {
  EXPECT_EQ(AbslUnparseFlag(DurationFlag{absl::Milliseconds(1600)}), "1.6s");
  EXPECT_EQ(AbslUnparseFlag(TextList{{"a", "b"}}), "a,b");
}

TEST_F(FlagWalkTest, FlagFileHasCommentsBlanksAndSpaces) {
  const std::string path = File("# comment\n\n  --try-count=7  \n\t# another\n--try-color\n-i4");
  EXPECT_THAT(Taken({"--flagfile=" + path}).given,
              UnorderedElementsAre("try_count", "try_color", "i"));
  EXPECT_EQ(absl::GetFlag(FLAGS_try_count), 7);
  EXPECT_EQ(absl::GetFlag(FLAGS_i), 4);
}

TEST_F(FlagWalkTest, FlagFileMayBeTheNextArgument) {
  EXPECT_THAT(Taken({"--flagfile", File("--try-count=7\n"), "x"}).positionals, ElementsAre("x"));
  EXPECT_EQ(absl::GetFlag(FLAGS_try_count), 7);
}

TEST_F(FlagWalkTest, FlagFilesNest) {
  const std::string inner = File("--try-count=7\n");
  Taken({"--flagfile=" + File("--flagfile=" + inner + "\n--try-text=outer\n")});
  EXPECT_EQ(absl::GetFlag(FLAGS_try_count), 7);
  EXPECT_EQ(absl::GetFlag(FLAGS_try_text), "outer");
}

TEST_F(FlagWalkTest, FlagFileOfItselfIsNestedTooDeep) {
  const std::string path = File("");
  std::ofstream(path) << "--flagfile=" << path << "\n";
  EXPECT_THAT(Refusal({"--flagfile=" + path}), HasSubstr("nested too deep"));
}

TEST_F(FlagWalkTest, WindowsLineEndsAreTaken) {
  Taken({"--flagfile=" + File("--try-count=7\r\n--try-text=a\r\n")});
  EXPECT_EQ(absl::GetFlag(FLAGS_try_text), "a");
}

TEST_F(FlagWalkTest, MissingFlagFileIsSaid) {
  EXPECT_EQ(Refusal({"--flagfile=/no/such"}), "--flagfile=/no/such: cannot be read");
  EXPECT_THAT(Refusal({"--flagfile"}), HasSubstr("cannot be read"));
  EXPECT_THAT(Refusal({"--flagfile="}), HasSubstr("cannot be read"));
}

TEST_F(FlagWalkTest, FolderIsNoFlagFile) {
  EXPECT_THAT(Refusal({"--flagfile=" + testing::TempDir()}), HasSubstr("cannot be read"));
}

TEST_F(FlagWalkTest, WrongLinesOfFlagFilesAreNamed) {
  for (const char* line : {"--zzzzzzzzzz", "--try-count=x", "name", "-1", "--try-count"}) {
    const std::string path = File(absl::StrCat("# one\n", line, "\n--try-color\n"));
    EXPECT_THAT(Refusal({"--flagfile=" + path}), StartsWith(path + ":2: ")) << line;
  }
}

}  // namespace
}  // namespace uc::tools
