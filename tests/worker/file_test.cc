// Files as answers: sendfile, ranges, bounds.
#include <unistd.h>

#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "tests/worker/stage.h"
#include "tests/worker/test_apps.h"

namespace uc::worker {
namespace {

class FileTest : public Stage {
 protected:
  // A file whose every byte tells its place.
  std::string Write(size_t size) {
    contents_.resize(size);
    for (size_t i = 0; i < size; ++i) contents_[i] = static_cast<char>(i * 7 + i / 251);
    std::ofstream(path()) << contents_;
    return path();
  }
  std::string path() const { return folder_ + "/file"; }
  std::string Target(size_t offset, size_t length) {
    return absl::StrCat("/file?", path(), ",", offset, ",", length);
  }
  std::string contents_;
};

TEST_F(FileTest, FilesOfAllSizesArriveWhole) {
  Raise<Actor>();
  Client client = Connect();
  for (const size_t size : {0, 1, 4095, 65'536, 5'000'000}) {
    Write(size);
    EXPECT_TRUE(client.Get(Target(0, size)).body == contents_) << size;
  }
}

TEST_F(FileTest, ARangeIsExactlyThat) {
  Write(1'000'000);
  Raise<Actor>();
  EXPECT_TRUE(Connect().Get(Target(333'333, 400'001)).body == contents_.substr(333'333, 400'001));
}

TEST_F(FileTest, HeadOfAFileSendsNothingOfIt) {
  Write(1000);
  Raise<Actor>();
  Client client = Connect();
  client.Say(absl::StrCat("HEAD ", Target(0, 1000), " HTTP/1.1\r\nHost: t\r\n\r\n"));
  EXPECT_EQ(client.Hear(Client::Body::kHeadOnly).fields["content-length"], "1000");
  EXPECT_EQ(client.Get("/hello").body, "hello");
}

TEST_F(FileTest, ASlowReaderOfALargeFileCostsNoMemory) {
  Write(100);
  ASSERT_EQ(truncate(path().c_str(), 300'000'000), 0);
  Raise<Actor>();
  EXPECT_EQ(Connect().Get("/hello").status, 200);
  const size_t before = Memory();
  Client client = Connect({.receive_buffer_bytes = 16'384});
  client.Say(absl::StrCat("GET ", Target(0, 300'000'000), " HTTP/1.1\r\nHost: t\r\n\r\n"));
  EXPECT_EQ(client.HearBytes(3'000'000).size(), 3'000'000u);
  EXPECT_LT(Memory(), before + kMemoryScale * 3'000'000);
}

TEST_F(FileTest, AFileThatShrinksCostsItsConnection) {
  Write(1000);
  Raise<Actor>();
  Client client = Connect();
  client.Say(absl::StrCat("GET ", Target(0, 5000), " HTTP/1.1\r\nHost: t\r\n\r\n"));
  EXPECT_EQ(client.Hear().status, 0);
  EXPECT_EQ(Connect().Get("/hello").body, "hello");
}

TEST_F(FileTest, PipelinedFilesDoNotUseUpTheDescriptors) {
  descriptors_max_ = 256;
  Write(1000);
  Raise<Actor>();
  Client client = Connect();
  std::string requests;
  for (int i = 0; i < 2000; ++i) {
    absl::StrAppend(&requests, "GET ", Target(0, 1000), " HTTP/1.1\r\nHost: t\r\n\r\n");
  }
  ASSERT_TRUE(client.Say(requests));
  for (int i = 0; i < 2000; ++i) ASSERT_TRUE(client.Hear().body == contents_) << i;
}

TEST_F(FileTest, AnswersAfterAFileKeepTheirOrder) {
  Write(700'000);
  Raise<Actor>();
  Client client = Connect();
  const std::string hello = "GET /hello HTTP/1.1\r\nHost: t\r\n\r\n";
  client.Say(absl::StrCat(hello, "GET ", Target(0, 700'000), " HTTP/1.1\r\nHost: t\r\n\r\n", hello,
                          "GET ", Target(1, 2), " HTTP/1.1\r\nHost: t\r\n\r\n", hello));
  EXPECT_EQ(client.Hear().body, "hello");
  EXPECT_TRUE(client.Hear().body == contents_);
  EXPECT_EQ(client.Hear().body, "hello");
  EXPECT_TRUE(client.Hear().body == contents_.substr(1, 2));
  EXPECT_EQ(client.Hear().body, "hello");
}

}  // namespace
}  // namespace uc::worker
