#include "core/app/static_files.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <memory>
#include <stdexcept>

#include "absl/time/clock.h"
#include "gtest/gtest.h"
#include "tests/app/fakes.h"
#include "tests/app/tree.h"
#include "tests/app/unprivileged.h"

namespace uc::app {
namespace {

constexpr std::time_t kModified = 1'777'629'600;  // Fri, 01 May 2026 10:00:00 GMT
constexpr char kModifiedText[] = "Fri, 01 May 2026 10:00:00 GMT";

class StaticFilesTest : public testing::Test {
 protected:
  StaticFilesTest() : files_(tree_.MakeDirectory("www")) {
    tree_.Write("secret.txt", "secret");
    tree_.Write("www/index.html", "<p>home</p>");
    tree_.Write("www/ten.txt", "0123456789");
    tree_.Write("www/empty.css", "");
    tree_.Write("www/dir/index.html", "<p>dir</p>");
    tree_.MakeDirectory("www/bare");
    tree_.Touch("www/ten.txt", kModified, 123'456'789);
    files_.Start(context_);
  }

  FakeExchange Do(const std::string& method, const std::string& target, OwnedHeaders headers = {}) {
    FakeExchange exchange(method, target, std::move(headers));
    files_.Handle(exchange);
    EXPECT_EQ(exchange.answers, 1);
    return exchange;
  }
  FakeExchange Get(const std::string& target, OwnedHeaders headers = {}) {
    return Do("GET", target, std::move(headers));
  }
  FakeExchange GetRange(const std::string& target, const std::string& range) {
    return Get(target, {{"Range", range}});
  }
  std::string Tag(const std::string& target) { return Get(target).header("ETag"); }

  Tree tree_;
  FakeContext context_;
  StaticFiles files_;
};

TEST_F(StaticFilesTest, AFileComesWithItsTypeAndValidators) {
  const FakeExchange answer = Get("/ten.txt");
  EXPECT_EQ(answer.status, 200);
  EXPECT_TRUE(answer.from_file);
  EXPECT_EQ(answer.body, "0123456789");
  EXPECT_EQ(answer.content_type, "text/plain; charset=utf-8");
  EXPECT_EQ(answer.header("Last-Modified"), kModifiedText);
  EXPECT_EQ(answer.header("ETag"), "\"18ab68b3f9940d15-a\"");
  EXPECT_EQ(answer.header("Accept-Ranges"), "bytes");
  EXPECT_EQ(answer.header("X-Content-Type-Options"), "nosniff");
  EXPECT_EQ(answer.header("Content-Range"), "");
}

TEST_F(StaticFilesTest, DotfilesAreMissingUnlessAskedFor) {
  tree_.Write("www/.env", "secret");
  tree_.Write("www/.git/config", "secret");
  tree_.Write("www/dir/.htaccess", "secret");
  tree_.Write("www/.well-known/security.txt", "for all");
  const char* const hidden[] = {"/.env",  "/%2Eenv",        "/.git/config", "/.git",
                                "/.git/", "/dir/.htaccess", "/dir/../.env"};
  for (const char* target : hidden) EXPECT_EQ(Get(target).status, 404) << target;
  EXPECT_EQ(Get("/.well-known/security.txt").body, "for all");
  EXPECT_EQ(Get("/.git/../ten.txt").status, 200) << "the path that is left has none";
  StaticFiles open(tree_.Path("www"), Dotfiles::kShown);
  open.Start(context_);
  for (const char* target : {"/.env", "/.git/config", "/dir/.htaccess"}) {
    FakeExchange exchange("GET", target, {});
    open.Handle(exchange);
    EXPECT_EQ(exchange.body, "secret") << target;
  }
}

TEST_F(StaticFilesTest, RawUtf8NamesTheFileAndNeverComesBackRaw) {
  tree_.Write("www/\xc3\xa9/index.html", "e");
  EXPECT_EQ(Get("/\xc3\xa9/").body, "e");
  EXPECT_EQ(Get("/%C3%A9/").body, "e");
  EXPECT_EQ(Get("/\xc3\xa9?\xe2\x82\xac").header("Location"), "/%C3%A9/?%E2%82%AC");
}

TEST_F(StaticFilesTest, HeadTakesTheSamePathAsGet) {
  const FakeExchange get = Get("/ten.txt");
  const FakeExchange head = Do("HEAD", "/ten.txt");
  EXPECT_EQ(head.status, 200);
  EXPECT_TRUE(head.from_file);
  EXPECT_EQ(head.sent, get.sent);
  EXPECT_EQ(Do("HEAD", "/gone").status, 404);
}

TEST_F(StaticFilesTest, OtherMethodsAreNotAllowed) {
  for (const char* method : {"POST", "PUT", "DELETE", "OPTIONS", "PATCH", "head"}) {
    const FakeExchange answer = Do(method, "/ten.txt");
    EXPECT_EQ(answer.status, 405) << method;
    EXPECT_EQ(answer.header("Allow"), "GET, HEAD");
  }
}

TEST_F(StaticFilesTest, AnEmptyFileIsServed) {
  const FakeExchange answer = Get("/empty.css");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, "");
  EXPECT_EQ(answer.content_type, "text/css; charset=utf-8");
}

TEST_F(StaticFilesTest, DirectoriesAreServedByTheirIndex) {
  EXPECT_EQ(Get("/").body, "<p>home</p>");
  EXPECT_EQ(Get("/dir/").body, "<p>dir</p>");
  EXPECT_EQ(Get("/dir/x/..").body, "<p>dir</p>");
  EXPECT_EQ(Get("/dir/").content_type, "text/html; charset=utf-8");
}

TEST_F(StaticFilesTest, ThereAreNoListings) {
  EXPECT_EQ(Get("/bare/").status, 404);
  tree_.MakeDirectory("www/odd/index.html");
  EXPECT_EQ(Get("/odd/").status, 404);
}

TEST_F(StaticFilesTest, ADirectoryWithoutItsSlashIsRedirected) {
  const FakeExchange answer = Get("/dir?a=b&c");
  EXPECT_EQ(answer.status, 301);
  EXPECT_EQ(answer.header("Location"), "/dir/?a=b&c");
  EXPECT_EQ(Get("/%64ir").header("Location"), "/dir/");
  EXPECT_EQ(Get("http://other.example/dir").header("Location"), "/dir/");
}

TEST_F(StaticFilesTest, RedirectsStayOnThisHost) {
  tree_.MakeDirectory("www/evil.example");
  tree_.MakeDirectory("www/\\evil.example");
  EXPECT_EQ(Get("//evil.example").header("Location"), "/evil.example/");
  EXPECT_EQ(Get("///evil.example").header("Location"), "/evil.example/");
  EXPECT_EQ(Get("/\\evil.example").header("Location"), "/%5Cevil.example/");
  EXPECT_EQ(Get("/.//evil.example").header("Location"), "/evil.example/");
}

TEST_F(StaticFilesTest, NamesAreDecoded) {
  tree_.Write("www/a b%41\xc3\xa9.txt", "odd");
  EXPECT_EQ(Get("/a%20b%2541%C3%A9.txt").body, "odd");
}

TEST_F(StaticFilesTest, NothingOutsideOfTheRootIsServed) {
  tree_.Link("www/out", "../secret.txt");
  tree_.Link("www/up", "..");
  for (const char* target : {"/../secret.txt", "/%2e%2e/secret.txt", "/dir/../../secret.txt",
                             "/..%2fsecret.txt", "/out", "/up/secret.txt", "/up/"}) {
    EXPECT_EQ(Get(target).status, 404) << target;
  }
}

TEST_F(StaticFilesTest, LinksInsideOfTheRootAreServed) {
  tree_.Link("www/dir/link.txt", "../ten.txt");
  EXPECT_EQ(Get("/dir/link.txt").body, "0123456789");
}

TEST_F(StaticFilesTest, ARangeIsAPartOfTheFile) {
  const FakeExchange middle = GetRange("/ten.txt", "bytes=2-4");
  EXPECT_EQ(middle.status, 206);
  EXPECT_EQ(middle.body, "234");
  EXPECT_EQ(middle.header("Content-Range"), "bytes 2-4/10");
  EXPECT_EQ(middle.header("ETag"), Tag("/ten.txt"));
  EXPECT_EQ(middle.content_type, "text/plain; charset=utf-8");
  EXPECT_EQ(GetRange("/ten.txt", "bytes=7-").body, "789");
  EXPECT_EQ(GetRange("/ten.txt", "bytes=-2").header("Content-Range"), "bytes 8-9/10");
}

TEST_F(StaticFilesTest, ARangeOutsideOfTheFileIsUnsatisfiable) {
  const FakeExchange answer = GetRange("/ten.txt", "bytes=10-");
  EXPECT_EQ(answer.status, 416);
  EXPECT_EQ(answer.header("Content-Range"), "bytes */10");
  EXPECT_EQ(GetRange("/empty.css", "bytes=0-").header("Content-Range"), "bytes */0");
  EXPECT_EQ(GetRange("/empty.css", "bytes=-1").status, 416);
}

TEST_F(StaticFilesTest, RangesThatWeDoNotServeGetTheWhole) {
  EXPECT_EQ(GetRange("/ten.txt", "bytes=0-1,4-5").status, 200);
  EXPECT_EQ(GetRange("/ten.txt", "nonsense").body, "0123456789");
  EXPECT_EQ(Do("HEAD", "/ten.txt", {{"Range", "bytes=2-4"}}).status, 200);
}

TEST_F(StaticFilesTest, IfRangeProtectsAgainstMixedFiles) {
  const std::string tag = Tag("/ten.txt");
  EXPECT_EQ(Get("/ten.txt", {{"Range", "bytes=2-4"}, {"If-Range", tag}}).status, 206);
  EXPECT_EQ(Get("/ten.txt", {{"Range", "bytes=2-4"}, {"If-Range", kModifiedText}}).status, 206);
  tree_.Touch("www/ten.txt", kModified + 1);
  EXPECT_EQ(Get("/ten.txt", {{"Range", "bytes=2-4"}, {"If-Range", tag}}).status, 200);
  EXPECT_EQ(Get("/ten.txt", {{"Range", "bytes=2-4"}, {"If-Range", kModifiedText}}).status, 200);
}

TEST_F(StaticFilesTest, WhatTheClientHasIsNotSentAgain) {
  const std::string tag = Tag("/ten.txt");
  const FakeExchange answer = Get("/ten.txt", {{"If-None-Match", tag}});
  EXPECT_EQ(answer.status, 304);
  EXPECT_EQ(answer.header("ETag"), tag);
  EXPECT_EQ(answer.content_type, "");
  EXPECT_EQ(answer.body, "");
  EXPECT_EQ(Get("/ten.txt", {{"If-Modified-Since", kModifiedText}}).status, 304);
  EXPECT_EQ(Do("HEAD", "/ten.txt", {{"If-None-Match", tag}}).status, 304);
}

TEST_F(StaticFilesTest, FailedPreconditionsAreTold) {
  EXPECT_EQ(Get("/ten.txt", {{"If-Match", "\"old\""}}).status, 412);
  const std::string early = "Fri, 01 May 2026 09:00:00 GMT";
  EXPECT_EQ(Get("/ten.txt", {{"If-Unmodified-Since", early}}).status, 412);
  EXPECT_EQ(Get("/gone", {{"If-Match", "\"old\""}}).status, 404);
}

TEST_F(StaticFilesTest, TheTagChangesWithTimeAndSize) {
  const std::string before = Tag("/ten.txt");
  tree_.Touch("www/ten.txt", kModified, 123'456'790);
  const std::string later = Tag("/ten.txt");
  tree_.Write("www/ten.txt", "01234567890");
  tree_.Touch("www/ten.txt", kModified, 123'456'789);
  const std::string longer = Tag("/ten.txt");
  EXPECT_NE(before, later);
  EXPECT_NE(before, longer);
}

TEST_F(StaticFilesTest, LastModifiedIsNeverInTheFuture) {
  tree_.Touch("www/ten.txt", 32'503'680'000);  // the year 3000
  const auto told = http::ParseDate(Get("/ten.txt").header("Last-Modified"));
  ASSERT_TRUE(told.has_value());
  EXPECT_LE(*told, absl::Now());
}

// Errors.

TEST_F(StaticFilesTest, NonsenseIsABadRequest) {
  for (const char* target : {"/%", "/%zz", "/a%00b", "*", "nothing"}) {
    EXPECT_EQ(Get(target).status, 400) << target;
  }
}

TEST_F(StaticFilesTest, WhatIsNotThereIsNotFound) {
  const FakeExchange answer = Get("/gone");
  EXPECT_EQ(answer.status, 404);
  EXPECT_EQ(answer.body, "404 Not Found\n");
  EXPECT_EQ(answer.header("X-Content-Type-Options"), "nosniff");
  EXPECT_EQ(Get("/ten.txt/").status, 404);
  EXPECT_EQ(Get("/ten.txt/more").status, 404);
  EXPECT_EQ(Get("/" + std::string(8000, 'x')).status, 404);
}

TEST_F(StaticFilesTest, WhatMayNotBeReadIsForbidden) {
  chmod(tree_.Path("www/ten.txt").c_str(), 0);
  const Unprivileged unprivileged;
  EXPECT_EQ(Get("/ten.txt").status, 403);
}

TEST_F(StaticFilesTest, AFifoIsNotFoundAtOnce) {
  ASSERT_EQ(mkfifo(tree_.Path("www/fifo").c_str(), 0666), 0);
  EXPECT_EQ(Get("/fifo").status, 404);
}

TEST_F(StaticFilesTest, WithoutDescriptorsTheClientIsAskedToComeAgain) {
  rlimit before = {};
  getrlimit(RLIMIT_NOFILE, &before);
  const Fd next(dup(0));
  rlimit none = before;
  none.rlim_cur = static_cast<rlim_t>(next.get());
  setrlimit(RLIMIT_NOFILE, &none);
  const FakeExchange answer = Get("/ten.txt");
  setrlimit(RLIMIT_NOFILE, &before);
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(answer.header("Retry-After"), "1");
  EXPECT_EQ(Get("/ten.txt").status, 200);
}

TEST_F(StaticFilesTest, NoDescriptorIsLeftBehind) {
  const Fd before(dup(0));
  for (const char* target : {"/", "/dir", "/bare/", "/gone", "/ten.txt", "/%00"}) Get(target);
  GetRange("/ten.txt", "bytes=1-2");
  GetRange("/ten.txt", "bytes=99-");
  Get("/ten.txt", {{"If-None-Match", "*"}});
  Get("/ten.txt", {{"If-Match", "\"old\""}});
  const Fd after(dup(0));
  EXPECT_EQ(after.get(), before.get() + 1);
}

TEST_F(StaticFilesTest, AMissingRootIsTheReasonNotToStart) {
  StaticFiles files(tree_.Path("gone"));
  try {
    files.Start(context_);
    FAIL() << "it started";
  } catch (const std::runtime_error& error) {
    EXPECT_EQ(std::string(error.what()), "static: " + tree_.Path("gone") + ": no such directory");
  }
}

}  // namespace
}  // namespace uc::app
