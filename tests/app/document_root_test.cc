#include "core/app/document_root.h"

#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "gtest/gtest.h"
#include "tests/app/tree.h"
#include "tests/app/unprivileged.h"

namespace uc::app {
namespace {

using Found = Document::Found;
using Resolution = DocumentRoot::Resolution;

class DocumentRootTest : public testing::TestWithParam<Resolution> {
 protected:
  DocumentRootTest() {
    tree_.Write("outside.txt", "secret");
    tree_.Write("root/a.txt", "hello");
    tree_.Write("root/dir/b.txt", "deep");
    tree_.Write("root/empty", "");
  }

  Document Find(const std::string& relative) {
    auto root = DocumentRoot::Open(tree_.Path("root"));
    EXPECT_TRUE(root.ok()) << root.status();
    root->set_resolution(GetParam());
    return root->Find(relative);
  }
  // What a link that is fine with openat2 is without it.
  Found Followed() const {
    return GetParam() == Resolution::kBeneath ? Found::kFile : Found::kMissing;
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
  auto root = DocumentRoot::Open(tree_.Path("root"));
  ASSERT_TRUE(root.ok());
  root->set_resolution(GetParam());
  rlimit before = {};
  getrlimit(RLIMIT_NOFILE, &before);
  const Fd next(dup(0));
  rlimit none = before;
  none.rlim_cur = static_cast<rlim_t>(next.get());
  setrlimit(RLIMIT_NOFILE, &none);
  const Found found = root->Find("a.txt").found;
  setrlimit(RLIMIT_NOFILE, &before);
  EXPECT_EQ(found, Found::kExhausted);
  EXPECT_EQ(root->Find("a.txt").found, Found::kFile);
}

TEST_P(DocumentRootTest, TheRootIsHeldWhateverBecomesOfItsName) {
  auto root = DocumentRoot::Open(tree_.Path("root"));
  ASSERT_TRUE(root.ok());
  root->set_resolution(GetParam());
  std::filesystem::rename(tree_.Path("root"), tree_.Path("moved"));
  EXPECT_EQ(root->Find("a.txt").found, Found::kFile);
}

TEST_P(DocumentRootTest, NoDescriptorIsLeftBehind) {
  const Fd before(dup(0));
  for (const char* name : {"a.txt", "dir", "dir/b.txt", "nothing", "dir/nothing", "a.txt/x"})
    Find(name);
  const Fd after(dup(0));
  EXPECT_EQ(after.get(), before.get() + 1);
}

INSTANTIATE_TEST_SUITE_P(Resolutions, DocumentRootTest,
                         testing::Values(Resolution::kBeneath, Resolution::kWalk),
                         [](const testing::TestParamInfo<Resolution>& resolution) {
                           return resolution.param == Resolution::kBeneath ? "Beneath" : "Walk";
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
