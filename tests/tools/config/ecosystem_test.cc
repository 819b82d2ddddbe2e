#include "tools/config/ecosystem.h"

#include "absl/flags/flag.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

// Stand-ins for flags of `start`: what a key becomes depends on its flag's type.
ABSL_FLAG(bool, wait_ready, false, "");
ABSL_FLAG(std::string, interpreter_args, "", "");

namespace uc::tools {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;

EcosystemOptions Options() {
  EcosystemOptions options;
  options.where = "c.json";
  options.flags = {"listen",     "kill_timeout", "wait_ready", "merge_logs", "interpreter",
                   "roll_width", "out_file",     "daemon",     "run_dir",    "interpreter_args"};
  options.cores = 8;
  return options;
}

Ecosystem Parse(const std::string& text, const EcosystemOptions& options = Options()) {
  const auto ecosystem = ParseEcosystem(text, options);
  EXPECT_TRUE(ecosystem.ok()) << ecosystem.status();
  return ecosystem.ok() ? *ecosystem : Ecosystem();
}

// The words of the only app.
std::string Words(const std::string& app) {
  const Ecosystem ecosystem = Parse(app);
  return ecosystem.apps.size() == 1 ? absl::StrJoin(ecosystem.apps[0].words, " ") : "?";
}

std::string Error(const std::string& text, const EcosystemOptions& options = Options()) {
  return std::string(ParseEcosystem(text, options).status().message());
}

TEST(EcosystemTest, ThreeShapesOfTheFile) {
  const std::string app = R"({"name": "web", "script": "app.js"})";
  EXPECT_EQ(Parse("{\"apps\": [" + app + "]}").apps.size(), 1u);
  EXPECT_EQ(Parse("{\"apps\": " + app + "}").apps.size(), 1u);
  EXPECT_EQ(Parse("[" + app + "]").apps.size(), 1u);
  EXPECT_EQ(Words(app), "app.js --name=web --workers=1");
}

TEST(EcosystemTest, NameComesFromTheScriptAsInPM2) {
  EXPECT_EQ(Words(R"({"script": "dist/server.js"})"), "dist/server.js --name=server --workers=1");
}

TEST(EcosystemTest, InstancesAreWorkers) {
  EXPECT_THAT(Words(R"({"script": "a", "instances": 4})"), HasSubstr("--workers=4"));
  EXPECT_THAT(Words(R"({"script": "a", "instances": "4"})"), HasSubstr("--workers=4"));
  EXPECT_THAT(Words(R"({"script": "a", "instances": "max"})"), HasSubstr("--workers=0"));
  EXPECT_THAT(Words(R"({"script": "a", "instances": 0})"), HasSubstr("--workers=0"));
  EXPECT_THAT(Words(R"({"script": "a", "instances": -1})"), HasSubstr("--workers=7"));
  EXPECT_THAT(Words(R"({"script": "a", "instances": -99})"), HasSubstr("--workers=1"));
}

TEST(EcosystemTest, KeysThatAreFlagsBecomeWords) {
  EXPECT_EQ(Words(R"({"script": "a", "kill_timeout": 1600, "wait_ready": true, "merge_logs": "x",
                      "listen": ["127.0.0.1:1", "[::1]:2"], "roll-width": 2})"),
            "a --name=a --kill-timeout=1600 --wait-ready --merge-logs=x --listen=127.0.0.1:1 "
            "--listen=[::1]:2 --roll-width=2 --workers=1");
  EXPECT_THAT(Words(R"({"script": "a", "wait_ready": false})"), HasSubstr("--no-wait-ready"));
}

TEST(EcosystemTest, OtherNamesOfPM2MeanTheSame) {
  EXPECT_THAT(Words(R"({"script": "a", "exec_interpreter": "python3", "output": "/o"})"),
              HasSubstr("--interpreter=python3 --out-file=/o"));
  EXPECT_THAT(Parse(R"({"script": "a", "node_args": ["--a", "--b"]})").apps[0].words,
              testing::Contains("--interpreter-args=--a --b"));
  EXPECT_THAT(Words(R"({"script": "a", "disable_logs": true})"), HasSubstr("--out-file=/dev/null"));
}

TEST(EcosystemTest, ArgumentsStandBehindTheDashes) {
  EXPECT_THAT(Parse(R"({"script": "a", "args": "-p 80 'b c' \"\""})").apps[0].words,
              ElementsAre("a", "--name=a", "--workers=1", "--", "-p", "80", "b c", ""));
  EXPECT_THAT(Parse(R"({"script": "a", "args": ["-p", 80]})").apps[0].words,
              ElementsAre("a", "--name=a", "--workers=1", "--", "-p", "80"));
}

TEST(EcosystemTest, EnvironmentOfTheNamedKindGoesBefore) {
  const std::string app =
      R"({"script": "a", "env_production": {"A": "p"}, "env": {"A": 1, "B": true}, "cwd": "/srv"})";
  EXPECT_THAT(Parse(app).apps[0].environment, ElementsAre(Pair("A", "1"), Pair("B", "true")));
  EcosystemOptions options = Options();
  options.environment = "production";
  EXPECT_THAT(Parse(app, options).apps[0].environment,
              ElementsAre(Pair("A", "1"), Pair("B", "true"), Pair("A", "p")));
  EXPECT_EQ(Parse(app).apps[0].directory, "/srv");
}

TEST(EcosystemTest, UnknownKeysAreNamedAndIgnored) {
  const Ecosystem ecosystem = Parse(
      R"({"apps": [{"script": "a", "pmx": false, "exec_mode": "cluster", "flux": 1, "daemon": true}],
          "deploy": {}})");
  EXPECT_THAT(ecosystem.notes,
              ElementsAre("c.json: \"deploy\" is not known here and is ignored",
                          "c.json: apps[0] (a): \"flux\" is not known here and is ignored",
                          "c.json: apps[0] (a): \"daemon\" is not known here and is ignored"));
}

TEST(EcosystemTest, OnlyTakesTheNamedOnes) {
  EcosystemOptions options = Options();
  options.only = {"b"};
  const Ecosystem ecosystem = Parse(R"([{"script": "a"}, {"script": "b"}])", options);
  ASSERT_EQ(ecosystem.apps.size(), 1u);
  EXPECT_EQ(ecosystem.apps[0].name, "b");
}

TEST(EcosystemTest, AutostartFalseIsLeftOutAndSaid) {
  const Ecosystem ecosystem = Parse(R"([{"script": "a", "autostart": false}, {"script": "b"}])");
  EXPECT_EQ(ecosystem.apps.size(), 1u);
  EXPECT_THAT(ecosystem.notes, ElementsAre(HasSubstr("autostart")));
}

TEST(EcosystemTest, CommentsAreAllowedAndTheSampleIsGood) {
  EXPECT_THAT(Parse("// mine\n[{\"script\": \"a\"}]").notes, IsEmpty());
  EXPECT_EQ(Parse(std::string(SampleEcosystem())).apps.size(), 2u);
  EXPECT_THAT(Parse(std::string(SampleEcosystem())).notes, IsEmpty());
}

// --- Errors ---

TEST(EcosystemTest, BrokenJsonSaysWhere) {
  EXPECT_EQ(Error("{\n  \"apps\": [,]\n}"), "c.json: is no JSON: line 2, column 12");
  EXPECT_EQ(Error(""), "c.json: is no JSON: line 1, column 1");
}

std::string Levels(int levels, const std::string& open, const std::string& inmost,
                   const std::string& close) {
  std::string text;
  for (int level = 0; level < levels; ++level) text += open;
  text += inmost;
  for (int level = 0; level < levels; ++level) text += close;
  return text;
}

TEST(EcosystemTest, DepthIsBounded) {
  const std::string too_deep = "c.json: is nested deeper than 100 levels";
  for (const int levels : {101, 1'000'000}) {
    EXPECT_EQ(Error(Levels(levels, "[", "", "]")), too_deep);
    EXPECT_EQ(Error(Levels(levels, "[", "", "")), too_deep);
    EXPECT_EQ(Error(Levels(levels, "{\"apps\":", "1", "}")), too_deep);
    EXPECT_EQ(Error(R"([{"script": "a", "env": {"A": )" + Levels(levels, "[", "", "]") + "}}]"),
              too_deep);
    EXPECT_EQ(Error(R"([{"script": "a", "flux": )" + Levels(levels, "{\"a\":", "1", "}") + "}]"),
              too_deep);
  }
  EXPECT_EQ(
      Parse(R"([{"script": "a", "env": {"A": )" + Levels(97, "[", "", "]") + "}}]").apps.size(),
      1u);
}

TEST(EcosystemTest, NumbersHaveARange) {
  EXPECT_EQ(Error(R"([{"script": "a", "instances": 1e999}])"),
            "c.json: a number is out of range: 1e999");
  EXPECT_EQ(Error(R"([{"script": "a", "flux": [-1e999]}])"),
            "c.json: a number is out of range: -1e999");
  for (const char* count : {"1e300", "18446744073709551615", "9223372036854775808", "1.5"}) {
    EXPECT_THAT(Error(absl::StrCat(R"([{"script": "a", "instances": )", count, "}]")),
                HasSubstr("apps[0] (a).instances: a whole number"))
        << count;
  }
  EXPECT_THAT(Words(R"({"script": "a", "instances": -9223372036854775808})"),
              HasSubstr("--workers=1"));
  EXPECT_THAT(Words(R"({"script": "a", "kill_timeout": 18446744073709551615})"),
              HasSubstr("--kill-timeout=18446744073709551615"));
}

TEST(EcosystemTest, ScriptIsNoFlag) {
  for (const char* key : {"script", "cmd", "command"}) {
    EXPECT_EQ(Error(absl::StrCat("[{\"", key, "\": \"--help\"}]")),
              "c.json: apps[0].script: a path or a name that does not begin with '-' is expected, "
              "not \"--help\"");
  }
}

TEST(EcosystemTest, TextsThatTheKernelWouldCutAreRefused) {
  for (const char* app :
       {R"({"script": "a\u0000b", "name": "a"})", R"({"script": "a", "args": ["\u0000"]})",
        R"({"script": "a", "cwd": "/\u0000"})", R"({"script": "a", "env": {"A": "\u0000"}})",
        R"({"script": "a", "env": {"A\u0000": "1"}})",
        R"({"script": "a", "out_file": "\u0000"})"}) {
    EXPECT_THAT(Error(app), HasSubstr("texts without a NUL byte are expected")) << app;
  }
  EXPECT_THAT(Error(R"({"script": "a", "env": {"": "1"}})"), HasSubstr("env: names that are not"));
  EXPECT_THAT(Error(R"({"script": "a", "env": {"A=B": "1"}})"), HasSubstr("hold no '='"));
}

TEST(EcosystemTest, BadUtf8IsNoJson) {
  EXPECT_THAT(Error("[{\"script\": \"\xff\"}]"), HasSubstr("c.json: is no JSON: line 1"));
}

TEST(EcosystemTest, WrongTypesSayWhereAndWhat) {
  EXPECT_EQ(Error("3"), "c.json: {\"apps\": [...]}, an array or an app is expected, not 3");
  EXPECT_EQ(Error("[1]"), "c.json: apps[0]: an object {...} is expected, not 1");
  EXPECT_EQ(Error("[]"), "c.json: there is no app in it");
  EXPECT_EQ(Error("[{}]"), "c.json: apps[0]: \"script\" is missing");
  EXPECT_EQ(Error(R"([{"script": 1}])"), "c.json: apps[0].script: a string is expected, not 1");
  EXPECT_EQ(Error(R"([{"script": "a", "instances": {}}])"),
            "c.json: apps[0] (a).instances: a whole number or \"max\" is expected, not {}");
  EXPECT_EQ(Error(R"([{"script": "a", "wait_ready": 3}])"),
            "c.json: apps[0] (a).wait_ready: true or false is expected, not 3");
  EXPECT_EQ(
      Error(R"([{"script": "a", "kill_timeout": {}}])"),
      "c.json: apps[0] (a).kill_timeout: a string, a number or true/false is expected, not {}");
  EXPECT_THAT(Error(R"([{"script": "a", "env": []}])"), HasSubstr("apps[0] (a).env: an object"));
  EXPECT_THAT(Error(R"([{"script": "a", "args": {}}])"),
              HasSubstr("apps[0] (a).args: a string or"));
}

TEST(EcosystemTest, NamesAreUniqueAndOnlyMustBeThere) {
  EXPECT_EQ(Error(R"([{"script": "a"}, {"script": "b/a"}])"), "c.json: two apps are named a");
  EcosystemOptions options = Options();
  options.only = {"z"};
  EXPECT_EQ(Error(R"([{"script": "a"}])", options), "--only=z: c.json has no such app; it has a");
}

}  // namespace
}  // namespace uc::tools
