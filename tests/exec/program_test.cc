#include "core/exec/program.h"

#include <elf.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <sstream>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace uc::exec {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class ProgramTest : public testing::Test {
 protected:
  ProgramTest() {
    char path[] = "/tmp/uc-program-XXXXXX";
    directory_ = mkdtemp(path);
  }
  ~ProgramTest() override { EXPECT_EQ(system(("rm -rf " + directory_).c_str()), 0); }

  std::string Make(const std::string& name, mode_t mode, const std::string& text = "") {
    const std::string path = directory_ + "/" + name;
    std::ofstream(path) << text;
    chmod(path.c_str(), mode);
    return path;
  }
  // argv, or why there is none.
  std::vector<std::string> Argv(const ProgramOptions& options) {
    const absl::StatusOr<Program> program = FindProgram(options);
    return program.ok() ? program->argv
                        : std::vector<std::string>{std::string(program.status().message())};
  }

  std::string directory_;
};

TEST_F(ProgramTest, ScriptsAreRunByTheInterpreterOfTheirEnding) {
  EXPECT_EQ(InterpreterOf("a/b.js"), "node");
  EXPECT_EQ(InterpreterOf("b.mjs"), "node");
  EXPECT_EQ(InterpreterOf("b.cjs"), "node");
  EXPECT_EQ(InterpreterOf("b.py"), "python3");
  EXPECT_EQ(InterpreterOf("b.rb"), "ruby");
  EXPECT_EQ(InterpreterOf("b.pl"), "perl");
  EXPECT_EQ(InterpreterOf("b.sh"), "bash");
  EXPECT_EQ(InterpreterOf("server"), "");
  const std::string path = Make("a.sh", 0644);
  EXPECT_THAT(Argv({.path = path}), ElementsAre(HasSubstr("/bash"), path));
}

TEST_F(ProgramTest, ArgumentsOfTheInterpreterComeBeforeTheScriptAndItsOwnBehind) {
  const std::string path = Make("a.sh", 0644);
  EXPECT_THAT(Argv({.path = path, .interpreter_arguments = {"-e", "-u"}, .arguments = {"x", "y"}}),
              ElementsAre(HasSubstr("/bash"), "-e", "-u", path, "x", "y"));
}

TEST_F(ProgramTest, NodeIsKnownByItsName) {
  const std::string node = Make("node", 0755);
  const absl::StatusOr<Program> program =
      FindProgram({.path = Make("a", 0644), .interpreter = node});
  ASSERT_TRUE(program.ok()) << program.status();
  EXPECT_TRUE(program->node);
}

TEST_F(ProgramTest, ExecutableRunsItselfAndSoDoesAScriptWithoutInterpreter) {
  const std::string path = Make("server", 0755);
  EXPECT_THAT(Argv({.path = path}), ElementsAre(path));
  const std::string script = Make("a.py", 0755);
  EXPECT_THAT(Argv({.path = script, .interpreter = "none"}), ElementsAre(script));
}

TEST_F(ProgramTest, RelativePathBelongsToItsDirectory) {
  const std::string path = Make("server", 0755);
  EXPECT_THAT(Argv({.path = "server", .directory = directory_}), ElementsAre(path));
  EXPECT_THAT(Argv({.path = "./server", .directory = directory_}),
              ElementsAre(directory_ + "/./server"));
}

TEST_F(ProgramTest, BareWordIsLookedUpInPath) {
  EXPECT_THAT(Argv({.path = "true"}), ElementsAre(HasSubstr("/true")));
}

TEST_F(ProgramTest, OursIsDynamicAndAScriptIsNoElf) {
  EXPECT_FALSE(BypassesLibc("/proc/self/exe"));
  EXPECT_FALSE(BypassesLibc(Make("script", 0755, "#!/bin/sh\n")));
  EXPECT_FALSE(BypassesLibc(directory_ + "/missing"));
}

TEST_F(ProgramTest, ProgramsAreLookedUpInThePathThatTheyWillHave) {
  const std::string mine = Make("uc-mine", 0755);
  EXPECT_THAT(Argv({.path = "uc-mine", .search_path = "/nowhere:" + directory_}),
              ElementsAre(mine));
  const std::string script = Make("a.x", 0644);
  EXPECT_THAT(Argv({.path = script, .interpreter = "uc-mine", .search_path = directory_ + ":/bin"}),
              ElementsAre(mine, script));
  EXPECT_THAT(Argv({.path = Make("a.sh", 0644), .search_path = "/nowhere"}),
              ElementsAre(HasSubstr("is not in PATH")));
}

TEST_F(ProgramTest, LibraryOfGlibcReachesProgramsOfGlibcOnly) {
  std::ostringstream text;
  text << std::ifstream("/bin/true").rdbuf();
  const std::string glibc = "/lib64/ld-linux-x86-64.so.2";
  const size_t place = text.str().find(glibc);
  ASSERT_NE(place, std::string::npos);
  EXPECT_FALSE(BypassesLibc(Make("glibc", 0755, text.str())));
  std::string musl = "/lib/ld-musl-x86_64.so.1";
  musl.resize(glibc.size());
  const std::string path = Make("musl", 0755, text.str().replace(place, glibc.size(), musl));
  EXPECT_TRUE(BypassesLibc(path));
  EXPECT_TRUE(BypassesLibc(Make("script", 0755, "#! " + path + " -x\n")));
  std::string narrow = text.str();
  narrow[EI_CLASS] = ELFCLASS32;
  EXPECT_TRUE(BypassesLibc(Make("narrow", 0755, narrow)));
}

// --- Errors ---

TEST_F(ProgramTest, MissingScriptAndMissingInterpreterSayWhichIsMissing) {
  EXPECT_THAT(Argv({.path = directory_ + "/a.py"}), ElementsAre(HasSubstr("no such file")));
  EXPECT_THAT(Argv({.path = Make("a", 0644), .interpreter = "no-such-interpreter"}),
              ElementsAre(HasSubstr("its interpreter 'no-such-interpreter' is not in PATH")));
}

TEST_F(ProgramTest, UnknownWordIsNoApp) {
  EXPECT_THAT(Argv({.path = "no-such-program"}), ElementsAre(HasSubstr("no such app")));
}

TEST_F(ProgramTest, FileThatCannotBeRunSaysTheCure) {
  EXPECT_THAT(Argv({.path = Make("server", 0644)}), ElementsAre(HasSubstr("chmod +x")));
  EXPECT_EQ(FindProgram({.path = Make("server", 0644)}).status().code(),
            absl::StatusCode::kPermissionDenied);
}

TEST_F(ProgramTest, DirectoryIsNoScript) {
  EXPECT_THAT(Argv({.path = directory_, .interpreter = "bash"}),
              ElementsAre(HasSubstr("is not a file")));
}

}  // namespace
}  // namespace uc::exec
