#include "core/app/load.h"

#include <elf.h>
#include <link.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <stdexcept>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/app/fakes.h"
#include "tests/app/tree.h"
#include "tests/app/unprivileged.h"

namespace uc::app {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

class LoadTest : public testing::Test {
 protected:
  static std::string Fixture(const std::string& what) {
    return std::filesystem::absolute("tests/app/fixtures/lib" + what + ".so").string();
  }
  static std::string Read(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  // A copy of a good object, spoiled.
  std::string Spoiled(const std::function<void(std::string&, ElfW(Ehdr) &)>& spoil) {
    std::string bytes = Read(Fixture("version1"));
    ElfW(Ehdr) header;
    std::memcpy(&header, bytes.data(), sizeof(header));
    spoil(bytes, header);
    std::memcpy(bytes.data(), &header, std::min(bytes.size(), sizeof(header)));
    return tree_.Write("libspoiled.so", bytes);
  }
  static std::string Check(const std::string& name,
                           const std::vector<std::string>& arguments = {}) {
    return std::string(CheckApp(name, arguments).message());
  }
  static absl::Status LoadError(const std::string& what) {
    EXPECT_TRUE(CheckApp(Fixture(what), {}).ok());
    return LoadApp(Fixture(what), {}).status();
  }

  Tree tree_;
};

TEST_F(LoadTest, BuiltInsAreKnownByName) {
  const std::vector<std::string> directory = {tree_.root()};
  EXPECT_TRUE(CheckApp("hello", {}).ok());
  EXPECT_TRUE(CheckApp("echo", {}).ok());
  EXPECT_TRUE(CheckApp("static", directory).ok());
  EXPECT_TRUE(LoadApp("hello", {}).ok());
  EXPECT_EQ((*LoadApp("echo", {}))->options().protocol, Protocol::kTcp);
  EXPECT_TRUE(LoadApp("static", directory).ok());
}

TEST_F(LoadTest, ASharedObjectIsLoaded) {
  ASSERT_TRUE(CheckApp(Fixture("version1"), {}).ok());
  auto app = LoadApp(Fixture("version1"), {});
  ASSERT_TRUE(app.ok()) << app.status();
  FakeExchange exchange("GET", "/version");
  (*app)->Handle(exchange);
  EXPECT_EQ(exchange.body, "1\n");
}

TEST_F(LoadTest, TwoBuildsOfAnAppDoNotMix) {
  auto first = LoadApp(Fixture("version1"), {});
  auto second = LoadApp(Fixture("version2"), {});
  ASSERT_TRUE(first.ok() && second.ok());
  FakeExchange one("GET", "/version"), two("GET", "/version");
  (*first)->Handle(one);
  (*second)->Handle(two);
  EXPECT_EQ(one.body + two.body, "1\n2\n");
}

TEST_F(LoadTest, ABareNameIsAFileOfTheCurrentDirectory) {
  std::filesystem::copy_file(Fixture("version2"), tree_.Path("libhere.so"));
  const std::string before = std::filesystem::current_path();
  std::filesystem::current_path(tree_.root());
  const absl::Status here = LoadApp("libhere.so", {}).status();
  // The library path has a libm.so.6 and such; the current directory has not.
  const std::string elsewhere = Check("libdl.so");
  const std::string missing(LoadApp("libdl.so", {}).status().message());
  std::filesystem::current_path(before);
  EXPECT_TRUE(here.ok()) << here;
  EXPECT_EQ(elsewhere, "libdl.so: no such file");
  EXPECT_EQ(missing, elsewhere);
}

TEST_F(LoadTest, AnAppThatRefusesToStartThrowsToTheCaller) {
  auto app = LoadApp(Fixture("refuses"), {});
  ASSERT_TRUE(app.ok()) << app.status();
  FakeContext context;
  EXPECT_THROW((*app)->Start(context), std::runtime_error);
}

// What the operator may get wrong.

TEST_F(LoadTest, UnknownNamesAreToldWhatThereIs) {
  EXPECT_EQ(Check("hallo"),
            "no such app: 'hallo' (there are hello, echo, static DIR, proxy ADDR, or the path of a "
            "shared "
            "object such as ./libmyapp.so)");
  EXPECT_EQ(CheckApp("hallo", {}).code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(Check(""), StartsWith("no such app: ''"));
  EXPECT_THAT(std::string(LoadApp("hallo", {}).status().message()), StartsWith("no such app"));
}

TEST_F(LoadTest, ArgumentsMustFitTheBuiltIn) {
  EXPECT_EQ(Check("hello", {"x"}), "hello takes no arguments, but got 'x'");
  EXPECT_EQ(Check("echo", {"x"}), "echo takes no arguments, but got 'x'");
  EXPECT_EQ(Check("static"), "static wants the directory to serve: static DIR");
  EXPECT_EQ(Check("static", {""}), "static wants the directory to serve: static DIR");
  EXPECT_EQ(Check("static", {"/tmp", "y"}), "static takes one directory, but got 'y' as well");
  EXPECT_EQ(Check("static", {"/gone"}), "static: /gone: no such directory");
  EXPECT_EQ(Check("static", {tree_.Write("f", "")}),
            "static: " + tree_.Path("f") + ": not a directory");
}

TEST_F(LoadTest, FilesThatCannotBeReadAreNamed) {
  EXPECT_EQ(Check("./libgone.so"), "./libgone.so: no such file");
  EXPECT_EQ(CheckApp("./libgone.so", {}).code(), absl::StatusCode::kNotFound);
  const std::string closed = tree_.Write("libclosed.so", "");
  chmod(closed.c_str(), 0);
  const Unprivileged unprivileged;
  EXPECT_EQ(Check(closed), closed + ": permission denied");
}

TEST_F(LoadTest, ProgramsAndScriptsAreNotSupportedYet) {
  const std::string script = tree_.Write("app.js", "console.log(1)\n");
  const std::string why =
      ": programs and scripts are not supported yet: use hello, echo, static DIR or a shared "
      "object";
  EXPECT_EQ(Check(script), script + why);
  EXPECT_EQ(Check(tree_.Write("x", "#")), tree_.Path("x") + why);
  EXPECT_EQ(Check("/proc/self/exe"), "/proc/self/exe" + why);
  const std::string fixed = Spoiled([](auto&, auto& header) { header.e_type = ET_EXEC; });
  EXPECT_EQ(Check(fixed), fixed + why);
}

TEST_F(LoadTest, DirectoriesAndFifosAreNoSharedObjects) {
  EXPECT_EQ(Check(tree_.root()),
            tree_.root() + ": not a shared object: a directory (did you mean: " + "static " +
                tree_.root() + ")");
  ASSERT_EQ(mkfifo(tree_.Path("fifo").c_str(), 0666), 0);
  EXPECT_THAT(Check(tree_.Path("fifo")), HasSubstr("not a regular file"));
}

TEST_F(LoadTest, ObjectsOfOtherMachinesAreRefused) {
  const std::string arm = Spoiled([](auto&, auto& header) { header.e_machine = EM_ARM; });
  EXPECT_THAT(Check(arm), HasSubstr("built for another machine (ELF machine 40, 64 bit; here: "));
  const std::string narrow =
      Spoiled([](auto&, auto& header) { header.e_ident[EI_CLASS] = ELFCLASS32; });
  EXPECT_THAT(Check(narrow), HasSubstr("32 bit; here: "));
  const std::string big =
      Spoiled([](auto&, auto& header) { header.e_ident[EI_DATA] = ELFDATA2MSB; });
  EXPECT_THAT(Check(big), HasSubstr("another machine"));
}

TEST_F(LoadTest, ObjectFilesMustBeLinked) {
  const std::string object = Spoiled([](auto&, auto& header) { header.e_type = ET_REL; });
  EXPECT_EQ(Check(object), object + ": not a shared object: link it with -shared");
}

TEST_F(LoadTest, AFileThatIsStillBeingCopiedIsRefusedAtEveryLength) {
  const std::string whole = Read(Fixture("otherabi"));
  for (size_t length = 0; length < 4096; length += 7) {
    const std::string cut = tree_.Write("libcut.so", whole.substr(0, length));
    ASSERT_FALSE(CheckApp(cut, {}).ok()) << length;
    ASSERT_FALSE(LoadApp(cut, {}).ok()) << length;
  }
  EXPECT_THAT(Check(tree_.Write("libcut.so", whole.substr(0, 200))),
              HasSubstr("the file is cut short (is it still being copied?)"));
  EXPECT_THAT(Check(tree_.Write("libempty.so", "")), HasSubstr("the file is empty"));
}

TEST_F(LoadTest, DamagedHeadersAreRefused) {
  const std::string sizes = Spoiled([](auto&, auto& header) { header.e_phentsize = 1; });
  EXPECT_THAT(Check(sizes), HasSubstr("damaged"));
  const std::string many = Spoiled([](auto&, auto& header) { header.e_phnum = 60000; });
  EXPECT_THAT(Check(many), HasSubstr("damaged"));
  const std::string none = Spoiled([](auto&, auto& header) { header.e_phnum = 0; });
  EXPECT_THAT(Check(none), HasSubstr("no dynamic section"));
  const std::string far = Spoiled([](auto&, auto& header) { header.e_phoff = ~0ull >> 1; });
  EXPECT_THAT(Check(far), HasSubstr("cut short"));
}

// What only loading can tell.

TEST_F(LoadTest, AnotherAbiVersionIsRefusedAndBothAreNamed) {
  const absl::Status status = LoadError("otherabi");
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(status.message(), Fixture("otherabi") +
                                  ": built for ABI version 999, but this uring-cluster has ABI "
                                  "version 1: build it again with this version's app.h");
}

TEST_F(LoadTest, MissingSymbolsAreNamed) {
  EXPECT_THAT(std::string(LoadError("noentry").message()), HasSubstr("uring_cluster_app()"));
  EXPECT_THAT(std::string(LoadError("noabi").message()),
              HasSubstr("not an app of uring-cluster: it has no symbol uring_cluster_abi"));
  EXPECT_EQ(LoadError("noabi").code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(LoadTest, AFactoryThatFailsIsTold) {
  EXPECT_THAT(std::string(LoadError("throwsearly").message()),
              HasSubstr("the app's constructor threw: no configuration"));
  EXPECT_THAT(std::string(LoadError("noapp").message()), HasSubstr("returned no app"));
}

TEST_F(LoadTest, WhatDlopenSaysIsPassedOn) {
  // Rename a library that it needs: as if it were not installed.
  const std::string path = Spoiled([](std::string& bytes, auto&) {
    for (size_t at; (at = bytes.find("libstdc++.so.6")) != std::string::npos;) bytes[at + 3] = 'X';
  });
  const absl::Status status = LoadApp(path, {}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("cannot load libXtdc++.so.6: cannot open"));
}

}  // namespace
}  // namespace uc::app
