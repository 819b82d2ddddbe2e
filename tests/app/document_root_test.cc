#include "core/app/document_root.h"

#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#include <tuple>

#include "gtest/gtest.h"
#include "tests/app/tree.h"
#include "tests/app/unprivileged.h"

namespace uc::app {
namespace {

using Found = Document::Found;
using Resolution = DocumentRoot::Resolution;
using Opening = DocumentRoot::Opening;
using Way = std::tuple<Resolution, Opening>;

class DocumentRootTest : public testing::TestWithParam<Way> {
 protected:
  DocumentRootTest() {
    tree_.Write("outside.txt", "secret");
    tree_.Write("root/a.txt", "hello");
    tree_.Write("root/dir/b.txt", "deep");
    tree_.Write("root/empty", "");
  }

  DocumentRoot Root() {
    auto root = DocumentRoot::Open(tree_.Path("root"));
    EXPECT_TRUE(root.ok()) << root.status();
    EXPECT_EQ(root->opening(), Opening::kAfterALook);
    root->set_resolution(std::get<Resolution>(GetParam()));
    if (std::get<Opening>(GetParam()) == Opening::kAtOnce) root->OpenAtOnce();
    return *std::move(root);
  }
  Document Find(const std::string& relative) { return Root().Find(relative); }
  // What a link that is fine with openat2 is without it.
  Found Followed() const {
    return std::get<Resolution>(GetParam()) == Resolution::kBeneath ? Found::kFile
                                                                    : Found::kMissing;
  }

  Tree tree_;
};

TEST_P(DocumentRootTest, FilesAreOpenedWithTheirFacts) {
  tree_.Touch("root/a.txt", 1'700'000'000, 123'456'789);
  const Document document = Find("a.txt");
  ASSERT_EQ(document.found, Found::kFile);
  EXPECT_EQ(document.size, 5u);
  EXPECT_EQ(absl::ToUnixNanos(document.modified), 1'700'000'000'123'456'789);
  char bytes[8] = {};
  EXPECT_EQ(read(document.fd.get(), bytes, sizeof(bytes)), 5);
  EXPECT_STREQ(bytes, "hello");
  EXPECT_EQ(Find("dir/b.txt").size, 4u);
  EXPECT_EQ(Find("empty").size, 0u);
}

TEST_P(DocumentRootTest, DirectoriesAreTold) {
  EXPECT_EQ(Find("dir").found, Found::kDirectory);
  EXPECT_EQ(Find("").found, Found::kDirectory);
}

TEST_P(DocumentRootTest, WhatIsNotThereIsMissing) {
  EXPECT_EQ(Find("nothing").found, Found::kMissing);
  EXPECT_EQ(Find("no/thing").found, Found::kMissing);
  EXPECT_EQ(Find("a.txt/x").found, Found::kMissing);
  EXPECT_EQ(Find(std::string(300, 'x')).found, Found::kMissing);
  EXPECT_EQ(Find(std::string(9000, 'x')).found, Found::kMissing);
}

TEST_P(DocumentRootTest, LinksInsideAreFollowedWhereTheKernelCanTell) {
  tree_.Link("root/link", "dir/b.txt");
  tree_.Link("root/dir/up", "../a.txt");
  tree_.Link("root/folder", "dir");
  EXPECT_EQ(Find("link").found, Followed());
  EXPECT_EQ(Find("dir/up").found, Followed());
  EXPECT_EQ(Find("folder/b.txt").found, Followed());
}

TEST_P(DocumentRootTest, LinksOutOfTheRootNameNothing) {
  tree_.Link("root/relative", "../outside.txt");
  tree_.Link("root/absolute", tree_.Path("outside.txt"));
  tree_.Link("root/parent", "..");
  tree_.Link("root/slash", "/");
  tree_.Link("root/there-and-back", "../root/a.txt");
  for (const char* name : {"relative", "absolute", "parent", "parent/outside.txt", "slash",
                           "slash/etc/passwd", "there-and-back"}) {
    EXPECT_EQ(Find(name).found, Found::kMissing) << name;
  }
}

TEST_P(DocumentRootTest, LinksThatLeadNowhereNameNothing) {
  tree_.Link("root/dangling", "gone");
  tree_.Link("root/loop", "loop");
  tree_.Link("root/magic", "/proc/self/fd/0");
  for (const char* name : {"dangling", "loop", "magic"}) {
    EXPECT_EQ(Find(name).found, Found::kMissing) << name;
  }
}

TEST_P(DocumentRootTest, OnlyRegularFilesAreServedAndAFifoDoesNotHang) {
  ASSERT_EQ(mkfifo(tree_.Path("root/fifo").c_str(), 0666), 0);
  // A short name: sun_path takes 108 bytes.
  ASSERT_EQ(chdir(tree_.Path("root").c_str()), 0);
  const int server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "socket"};
  ASSERT_EQ(bind(server, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  ASSERT_EQ(chdir("/"), 0);
  EXPECT_EQ(Find("fifo").found, Found::kMissing);
  EXPECT_EQ(Find("socket").found, Found::kMissing);
  close(server);
}

TEST_P(DocumentRootTest, WhatMayNotBeReadIsForbidden) {
  chmod(tree_.Path("root/a.txt").c_str(), 0);
  chmod(tree_.Path("root/dir").c_str(), 0);
  {
    const Unprivileged unprivileged;
    EXPECT_EQ(Find("a.txt").found, Found::kForbidden);
    EXPECT_EQ(Find("dir").found, Found::kForbidden);
    EXPECT_EQ(Find("dir/b.txt").found, Found::kForbidden);
  }
  chmod(tree_.Path("root/dir").c_str(), 0755);
}

TEST_P(DocumentRootTest, WithoutDescriptorsItSaysSo) {
  const DocumentRoot root = Root();
  rlimit before = {};
  getrlimit(RLIMIT_NOFILE, &before);
  const Fd next(dup(0));
  rlimit none = before;
  none.rlim_cur = static_cast<rlim_t>(next.get());
  setrlimit(RLIMIT_NOFILE, &none);
  const Found found = root.Find("a.txt").found;
  setrlimit(RLIMIT_NOFILE, &before);
  EXPECT_EQ(found, Found::kExhausted);
  EXPECT_EQ(root.Find("a.txt").found, Found::kFile);
}

TEST_P(DocumentRootTest, TheRootIsHeldWhateverBecomesOfItsName) {
  const DocumentRoot root = Root();
  std::filesystem::rename(tree_.Path("root"), tree_.Path("moved"));
  EXPECT_EQ(root.Find("a.txt").found, Found::kFile);
}

TEST_P(DocumentRootTest, NoDescriptorIsLeftBehind) {
  const Fd before(dup(0));
  for (const char* name : {"a.txt", "dir", "dir/b.txt", "nothing", "dir/nothing", "a.txt/x"})
    Find(name);
  const Fd after(dup(0));
  EXPECT_EQ(after.get(), before.get() + 1);
}

// inotify tells of each opening; a look is none.
TEST_P(DocumentRootTest, WhatIsNoRegularFileIsNeverOpened) {
  if (std::get<Opening>(GetParam()) == Opening::kAtOnce) GTEST_SKIP() << "it is, without /proc";
  ASSERT_EQ(mkfifo(tree_.Path("root/fifo").c_str(), 0666), 0);
  const bool device = mknod(tree_.Path("root/device").c_str(), S_IFCHR | 0666, makedev(1, 3)) == 0;
  const Fd watch(inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  ASSERT_GE(inotify_add_watch(watch.get(), tree_.Path("root").c_str(), IN_OPEN), 0);
  EXPECT_EQ(Find("fifo").found, Found::kMissing);
  EXPECT_EQ(Find("device").found, Found::kMissing);
  char events[1024];
  EXPECT_EQ(read(watch.get(), events, sizeof(events)), -1) << "with a device: " << device;
  EXPECT_EQ(Find("a.txt").found, Found::kFile);
  EXPECT_GT(read(watch.get(), events, sizeof(events)), 0) << "the watch works";
}

TEST_P(DocumentRootTest, TheFileThatWasLookedAtIsTheOneThatIsRead) {
  tree_.Write("root/other", "other");
  const DocumentRoot root = Root();
  const Document document = root.Find("a.txt");
  std::filesystem::rename(tree_.Path("root/other"), tree_.Path("root/a.txt"));
  char bytes[8] = {};
  EXPECT_EQ(read(document.fd.get(), bytes, sizeof(bytes)), 5);
  EXPECT_STREQ(bytes, "hello");
  EXPECT_EQ(fcntl(document.fd.get(), F_GETFD), FD_CLOEXEC);
}

INSTANTIATE_TEST_SUITE_P(
    Ways, DocumentRootTest,
    testing::Combine(testing::Values(Resolution::kBeneath, Resolution::kWalk),
                     testing::Values(Opening::kAfterALook, Opening::kAtOnce)),
    [](const testing::TestParamInfo<Way>& way) {
      return std::string(std::get<0>(way.param) == Resolution::kBeneath ? "Beneath" : "Walk") +
             (std::get<1>(way.param) == Opening::kAfterALook ? "AfterALook" : "AtOnce");
    });

TEST(DocumentRootOpenTest, ThisKernelResolvesBeneath) {
  const Tree tree;
  EXPECT_EQ(DocumentRoot::Open(tree.root())->resolution(), Resolution::kBeneath);
}

TEST(DocumentRootOpenTest, RootsThatCannotBeServedAreRefusedInALine) {
  Tree tree;
  tree.Write("file", "");
  const absl::Status missing = DocumentRoot::Open(tree.Path("gone")).status();
  EXPECT_EQ(missing.message(), "static: " + tree.Path("gone") + ": no such directory");
  EXPECT_EQ(missing.code(), absl::StatusCode::kNotFound);
  const absl::Status file = DocumentRoot::Open(tree.Path("file")).status();
  EXPECT_EQ(file.message(), "static: " + tree.Path("file") + ": not a directory");
  EXPECT_EQ(file.code(), absl::StatusCode::kInvalidArgument);
  chmod(tree.MakeDirectory("closed").c_str(), 0600);
  const Unprivileged unprivileged;
  const absl::Status closed = DocumentRoot::Open(tree.Path("closed")).status();
  EXPECT_EQ(closed.code(), absl::StatusCode::kPermissionDenied);
}

}  // namespace
}  // namespace uc::app
