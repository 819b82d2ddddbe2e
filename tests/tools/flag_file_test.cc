// What a worker is exec'd with, and the corners of flag files. The rest of the walk: tests/cli.
#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/reflection.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tools/flag_walk.h"

ABSL_FLAG(int64_t, i, 1, "a number");
ABSL_FLAG(bool, try_color, false, "a switch");
ABSL_FLAG(std::string, try_text, "", "a text");
ABSL_FLAG(uc::tools::TextList, try_listen, {}, "addresses");

namespace uc::tools {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using Words = std::vector<std::string>;

class FlagFileTest : public testing::Test {
 protected:
  ~FlagFileTest() override {
    for (const std::string& path : files_) std::remove(path.c_str());
  }
  absl::StatusOr<WalkResult> Walk(const Words& arguments) {
    return WalkFlags("start", arguments, {"i", "try_color", "try_text", "try_listen"},
                     {"try_listen"});
  }
  WalkResult Taken(const Words& arguments) {
    const absl::StatusOr<WalkResult> result = Walk(arguments);
    EXPECT_TRUE(result.ok()) << result.status();
    return result.value_or(WalkResult());
  }
  std::string Refusal(const Words& arguments) {
    return std::string(Walk(arguments).status().message());
  }
  std::string File(const std::string& text) {
    files_.push_back(absl::StrCat(testing::TempDir(), "/words-", files_.size()));
    std::ofstream(files_.back()) << text;
    return files_.back();
  }

  absl::FlagSaver saver_;
  std::vector<std::string> files_;
};

TEST_F(FlagFileTest, WordsAreTheArgumentsThemselvesWithoutAFile) {
  const Words arguments = {"hello", "-i4", "--no-try-color", "--try-text", "a",
                           "-1",    "--",  "--flagfile=x",   "-h"};
  EXPECT_EQ(Taken(arguments).words, arguments);
}

TEST_F(FlagFileTest, WordsHoldTheFilesContentInItsPlace) {
  const std::string inner = File("-i 4\n");
  const std::string outer = File("# comment\n--flagfile=" + inner + "\n--try-color\n");
  std::remove(inner.c_str());
  EXPECT_THAT(Refusal({"--flagfile", outer}), HasSubstr("cannot be read"));
  std::ofstream(inner) << "--try-text=a b\n-i 4\n";
  EXPECT_THAT(Taken({"app", "--flagfile", outer, "arg"}).words,
              ElementsAre("app", "--try-text=a b", "-i", "4", "--try-color", "arg"));
}

TEST_F(FlagFileTest, WalkOfTheWordsNeedsNoFileAndFindsTheSame) {
  const std::string path = File("--try-listen=:80\n--try-listen :81\n-i 4\n");
  const Words words = Taken({"app", "--flagfile=" + path}).words;
  std::remove(path.c_str());
  absl::SetFlag(&FLAGS_try_listen, TextList{});
  const WalkResult again = Taken(words);
  EXPECT_THAT(again.positionals, ElementsAre("app"));
  EXPECT_THAT(absl::GetFlag(FLAGS_try_listen).values, ElementsAre(":80", ":81"));
  EXPECT_EQ(absl::GetFlag(FLAGS_i), 4);
}

TEST_F(FlagFileTest, LineMayHaveASpaceInsteadOfEqualsAndInsideItsValue) {
  Taken({"--flagfile=" + File("--try-text   a  b\n")});
  EXPECT_EQ(absl::GetFlag(FLAGS_try_text), "a  b");
  Taken({"--flagfile=" + File("--try-text=c d\n")});
  EXPECT_EQ(absl::GetFlag(FLAGS_try_text), "c d");
}

TEST_F(FlagFileTest, SwitchWithAValueBehindASpaceIsRefused) {
  EXPECT_THAT(Refusal({"--flagfile=" + File("--try-color false\n")}), HasSubstr(":1: "));
}

TEST_F(FlagFileTest, LineWithTwoDashesOnlyIsRefused) {
  EXPECT_THAT(Refusal({"--flagfile=" + File("--\n")}), HasSubstr(":1: a line must be a flag"));
}

TEST_F(FlagFileTest, ErrorInANestedFileNamesBothPlaces) {
  const std::string inner = File("\n-i x\n");
  const std::string outer = File("--flagfile=" + inner + "\n");
  EXPECT_THAT(Refusal({"--flagfile=" + outer}), HasSubstr(outer + ":1: " + inner + ":2: -i=x"));
}

TEST_F(FlagFileTest, EndlessFileIsRefused) {
  EXPECT_THAT(Refusal({"--flagfile=/dev/zero"}), HasSubstr("larger than 1 MiB"));
}

TEST_F(FlagFileTest, FolderSaysWhy) {
  EXPECT_THAT(Refusal({"--flagfile=/"}), HasSubstr("cannot be read: Is a directory"));
}

TEST_F(FlagFileTest, NoWithAValueIsRefused) {
  EXPECT_EQ(Refusal({"--no-try-color=true"}), "--no-try-color takes no value");
}

TEST_F(FlagFileTest, FractionWithASignIsNoFlag) {
  EXPECT_THAT(Taken({"web", "-1.5"}).positionals, ElementsAre("web", "-1.5"));
}

TEST_F(FlagFileTest, SpacesAroundTheCommasOfAListAreNotOfTheValues) {
  Taken({"--try-listen= :80, :81 ,"});
  EXPECT_THAT(absl::GetFlag(FLAGS_try_listen).values, ElementsAre(":80", ":81"));
}

}  // namespace
}  // namespace uc::tools
