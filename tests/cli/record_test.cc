#include "tools/record.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tools/linger.h"

namespace uc::tools {
namespace {

using testing::HasSubstr;

class RecordTest : public testing::Test {
 protected:
  RecordTest() {
    std::string pattern = absl::StrCat(testing::TempDir(), "/record-XXXXXX");
    base_ = mkdtemp(pattern.data());
    directory_ = base_ + "/web";
    mkdir(directory_.c_str(), 0700);
    record_.name = "web";
    record_.words = {"hello", "--name=web"};
    record_.directory = "/srv";
    record_.environment = {"PATH=/bin"};
    record_.background = true;
  }
  ~RecordTest() override { std::filesystem::remove_all(base_); }

  std::string base_;
  std::string directory_;
  ClusterRecord record_;
};

TEST_F(RecordTest, BytesOfAnyKindComeBackExactly) {
  std::string all;
  for (int byte = 1; byte < 256; ++byte) all.push_back(static_cast<char>(byte));
  record_.words.push_back("caf\xe9");
  record_.directory = "/srv/caf\xe9";
  record_.environment = {"A=m\xc3\xbcsli", "B=caf\xe9", "C=line\nline", absl::StrCat("D=", all)};
  record_.logs.out_file = "/log/\xff.log";
  record_.logs.error_file = "/log/\xfe.log";
  record_.log_file = "/log/\xfd.log";
  ASSERT_TRUE(WriteRecord(directory_, record_).ok());
  const absl::StatusOr<ClusterRecord> read = ReadRecord(directory_);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->words, record_.words);
  EXPECT_EQ(read->directory, record_.directory);
  EXPECT_EQ(read->environment, record_.environment);
  EXPECT_EQ(read->logs.out_file, record_.logs.out_file);
  EXPECT_EQ(read->logs.error_file, record_.logs.error_file);
  EXPECT_EQ(read->log_file, record_.log_file);
}

TEST_F(RecordTest, RecordOfAnEarlierVersionIsRead) {
  EXPECT_THAT(ToJson(record_), HasSubstr("\"PATH=/bin\""));  // as it always was
}

TEST_F(RecordTest, WrongTextForBytesIsNoRecord) {
  record_.directory = "caf\xe9";
  std::string text = ToJson(record_);
  const size_t at = text.find("Y2Fm");
  ASSERT_NE(at, std::string::npos);
  text.replace(at, 4, "!!!!");
  EXPECT_FALSE(ParseRecord(text).ok());
}

TEST_F(RecordTest, AMillionLevelsAreNoRecord) {
  EXPECT_FALSE(ParseRecord(std::string(1'000'000, '[')).ok());
  const std::string deep = std::string(500'000, '[') + std::string(500'000, ']');
  EXPECT_FALSE(ParseRecord(absl::StrCat("{\"version\":1,\"name\":", deep, "}")).ok());
}

TEST_F(RecordTest, OnlyAFileOfOursIsBelieved) {
  ASSERT_TRUE(WriteRecord(directory_, record_).ok());
  ASSERT_TRUE(ReadRecord(directory_).ok());
  const std::string path = directory_ + "/record";
  chmod(path.c_str(), 0666);
  EXPECT_FALSE(ReadRecord(directory_).ok());
  ASSERT_EQ(rename(path.c_str(), (base_ + "/elsewhere").c_str()), 0);
  chmod((base_ + "/elsewhere").c_str(), 0600);
  ASSERT_EQ(symlink((base_ + "/elsewhere").c_str(), path.c_str()), 0);
  EXPECT_FALSE(ReadRecord(directory_).ok());
  unlink(path.c_str());
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  EXPECT_FALSE(ReadRecord(directory_).ok());  // and it has not waited for a writer
  unlink(path.c_str());
  EXPECT_TRUE(absl::IsNotFound(ReadRecord(directory_).status()));
}

TEST_F(RecordTest, FolderThatOthersMayWriteIsNotBelieved) {
  ASSERT_TRUE(WriteRecord(directory_, record_).ok());
  for (const std::string& path : {directory_, base_}) {
    chmod(path.c_str(), 0770);
    EXPECT_FALSE(ReadRecord(directory_).ok()) << path;
    EXPECT_FALSE(WriteRecord(directory_, record_).ok()) << path;
    chmod(path.c_str(), 0700);
  }
  EXPECT_TRUE(ReadRecord(directory_).ok());
}

TEST_F(RecordTest, RuntimeDirectoryWithoutLingerIsWarnedOf) {
  const std::string lingers = base_ + "/linger";
  mkdir(lingers.c_str(), 0700);
  std::ofstream(lingers + "/anna") << "";
  EXPECT_THAT(LingerWarning("/run/user/7/uring-cluster", "/run/user/7", "otto", lingers),
              HasSubstr("enable-linger"));
  EXPECT_THAT(LingerWarning("/run/user/7/uring-cluster", "/run/user/7", "", lingers),
              HasSubstr("enable-linger"));
  EXPECT_EQ(LingerWarning("/run/user/7/uring-cluster", "/run/user/7", "anna", lingers), "");
  EXPECT_EQ(LingerWarning("/run/user/77/uring-cluster", "/run/user/7", "otto", lingers), "");
  EXPECT_EQ(LingerWarning("/srv/run", "/run/user/7", "otto", lingers), "");
  EXPECT_EQ(LingerWarning("/srv/run", "", "otto", lingers), "");
}

}  // namespace
}  // namespace uc::tools
