#include "core/app/path.h"

#include <random>
#include <string>

#include "gtest/gtest.h"

namespace uc::app {
namespace {

using Kind = ResolvedPath::Kind;

// "file a/b", "directory a", "nowhere", "malformed".
std::string Resolve(std::string_view path) {
  const ResolvedPath resolved = ResolvePath(path);
  switch (resolved.kind) {
    case Kind::kName:
      return "file " + resolved.relative;
    case Kind::kDirectory:
      return "directory " + resolved.relative;
    case Kind::kNowhere:
      return "nowhere";
    case Kind::kMalformed:
      return "malformed";
  }
  return "?";
}

TEST(PathTest, NamesAreRelativeToTheRoot) {
  EXPECT_EQ(Resolve("/"), "directory ");
  EXPECT_EQ(Resolve("/a"), "file a");
  EXPECT_EQ(Resolve("/a/b.txt"), "file a/b.txt");
  EXPECT_EQ(Resolve("/a/b/"), "directory a/b");
  EXPECT_EQ(Resolve("//a///b"), "file a/b");
  EXPECT_EQ(Resolve("//"), "directory ");
}

TEST(PathTest, PercentEncodingIsDecodedOnce) {
  EXPECT_EQ(Resolve("/a%20b"), "file a b");
  EXPECT_EQ(Resolve("/%C3%a9"), "file \xc3\xa9");
  EXPECT_EQ(Resolve("/%2541"), "file %41");
  EXPECT_EQ(Resolve("/%252e%252e/x"), "file %2e%2e/x");
  EXPECT_EQ(Resolve("/a%3Fb%23c"), "file a?b#c");
}

TEST(PathTest, DotSegmentsThatStayInsideAreResolved) {
  EXPECT_EQ(Resolve("/a/../b"), "file b");
  EXPECT_EQ(Resolve("/a/./b"), "file a/b");
  EXPECT_EQ(Resolve("/a/b/.."), "directory a");
  EXPECT_EQ(Resolve("/a/b/../"), "directory a");
  EXPECT_EQ(Resolve("/a/."), "directory a");
  EXPECT_EQ(Resolve("/a/%2E%2e/b"), "file b");
  EXPECT_EQ(Resolve("/a/b/../../c"), "file c");
}

TEST(PathTest, DotsThatAreNamesAreNames) {
  EXPECT_EQ(Resolve("/..."), "file ...");
  EXPECT_EQ(Resolve("/..a"), "file ..a");
  EXPECT_EQ(Resolve("/a.."), "file a..");
  EXPECT_EQ(Resolve("/.well-known/x"), "file .well-known/x");
}

TEST(PathTest, DotSegmentsThatEscapeLeadNowhere) {
  for (const char* path :
       {"/..", "/../", "/../etc/passwd", "/a/../../etc/passwd", "/%2e%2e/etc/passwd",
        "/.%2e/etc/passwd", "/%2E./x", "/./../x", "//../x", "/a/../../a/x", "/%2e%2e%2fx",
        "/a/%2e%2e%2f%2e%2e%2fx", "/..%2f", "/../../../../a"}) {
    EXPECT_EQ(Resolve(path), "nowhere") << path;
  }
}

TEST(PathTest, AnEncodedSlashIsNoSeparator) {
  EXPECT_EQ(Resolve("/private%2Fkey"), "nowhere");
  EXPECT_EQ(Resolve("/%2fetc/passwd"), "nowhere");
  EXPECT_EQ(Resolve("/a%2f/../b"), "nowhere");
}

TEST(PathTest, ABackslashIsAByteLikeAnyOther) {
  EXPECT_EQ(Resolve("/..\\..\\x"), "file ..\\..\\x");
  EXPECT_EQ(Resolve("/a%5c..%5cb"), "file a\\..\\b");
}

TEST(PathTest, TheAbsoluteFormIsTaken) {
  EXPECT_EQ(Resolve("http://host/a/b"), "file a/b");
  EXPECT_EQ(Resolve("HTTPS://host:80/"), "directory ");
  EXPECT_EQ(Resolve("http://host"), "directory ");
  EXPECT_EQ(Resolve("http://host/../x"), "nowhere");
}

TEST(PathTest, NonsenseIsMalformed) {
  using std::string_view_literals::operator""sv;
  for (const std::string_view path :
       {""sv, "*"sv, "a"sv, "a/b"sv, "ftp://host/a"sv, "://a"sv, "/%"sv, "/%4"sv, "/%zz"sv,
        "/%4g"sv, "/a%"sv, "/%00"sv, "/a%00.txt"sv, "/a\0b"sv, "/\0"sv, "/%u0041"sv, "/% 41"sv,
        "/../%zz"sv, "/%2f%00"sv}) {
    EXPECT_EQ(Resolve(path), "malformed") << path;
  }
}

TEST(PathTest, NoPathLeadsOutOfTheRoot) {
  using std::string_view_literals::operator""sv;
  constexpr std::string_view kPieces[] = {"/"sv,   "."sv,   ".."sv,  "a"sv,   "%2e"sv, "%2f"sv,
                                          "%5c"sv, "\\"sv,  "%00"sv, "\0"sv,  "%"sv,   "%25"sv,
                                          "2e"sv,  "../"sv, "/.."sv, "%2E"sv, "//"sv,  "%c0%af"sv};
  std::mt19937 chance(11);
  for (int round = 0; round < 200'000; ++round) {
    std::string path = "/";
    for (size_t left = chance() % 12; left > 0; --left) path += kPieces[chance() % 18];
    const ResolvedPath resolved = ResolvePath(path);
    if (resolved.kind == Kind::kNowhere || resolved.kind == Kind::kMalformed) continue;
    const std::string fenced = "/" + resolved.relative + "/";
    ASSERT_EQ(fenced.find("/../"), std::string::npos) << path;
    ASSERT_EQ(fenced.find("/./"), std::string::npos) << path;
    ASSERT_EQ(fenced.find('\0'), std::string::npos) << path;
    ASSERT_TRUE(resolved.relative.empty() || fenced.find("//") == std::string::npos) << path;
  }
}

TEST(PathTest, EncodedPathsResolveToThemselves) {
  for (const std::string name :
       {"a", "a/b c", "%41", "\\evil.example", "d\xc3\xa9j\xc3\xa0", "?#"}) {
    EXPECT_EQ(Resolve(EncodePath(name)), "file " + name);
  }
}

TEST(PathTest, EncodedPathsNameNoOtherHost) {
  EXPECT_EQ(EncodePath("evil.example"), "/evil.example");
  EXPECT_EQ(EncodePath("\\evil.example"), "/%5Cevil.example");
  EXPECT_EQ(EncodePath("a\r\nSet-Cookie: b"), "/a%0D%0ASet-Cookie:%20b");
}

TEST(DotfileTest, AnyNameThatBeginsWithADotIsOne) {
  for (const char* name : {".git", ".git/config", "a/.env", "a/.b/c", "...", ".well-known-not",
                           ".well-known/.secret", "a.b/.c"}) {
    EXPECT_TRUE(HasDotfile(name)) << name;
  }
  for (const char* name : {"", "a", "a.txt", "a/b.c/d.", "a./b", ".well-known",
                           ".well-known/acme-challenge/x.y", "a/.well-known/b"}) {
    EXPECT_FALSE(HasDotfile(name)) << name;
  }
}

}  // namespace
}  // namespace uc::app
