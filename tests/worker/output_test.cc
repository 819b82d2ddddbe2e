#include "core/worker/output.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <utility>

#include "gtest/gtest.h"

namespace uc::worker {
namespace {

constexpr size_t kNoBound = SIZE_MAX;
constexpr size_t kShare = 100'000;

class OutputTest : public testing::Test {
 protected:
  OutputTest() {
    int ends[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    ours_.Reset(ends[0]);
    theirs_.Reset(ends[1]);
  }
  Output::Result Flush(size_t share = kNoBound) {
    return output_.Flush(ours_.get(), share, &sent_);
  }
  // What the peer can read without waiting.
  std::string Heard() {
    std::string all;
    char bytes[65536];
    for (ssize_t size; (size = recv(theirs_.get(), bytes, sizeof(bytes), MSG_DONTWAIT)) > 0;) {
      all.append(bytes, static_cast<size_t>(size));
    }
    return all;
  }
  static Fd FileWith(const std::string& bytes) {
    std::string path = testing::TempDir() + "/uc-output-XXXXXX";
    Fd file(mkstemp(path.data()));
    EXPECT_EQ(write(file.get(), bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
    unlink(path.c_str());
    return file;
  }
  Output output_;
  Fd ours_, theirs_;
  uint64_t sent_ = 0;
};

TEST_F(OutputTest, NothingIsEmpty) {
  EXPECT_TRUE(output_.empty());
  EXPECT_EQ(Flush(), Output::Result::kEmpty);
  EXPECT_EQ(sent_, 0u);
}

TEST_F(OutputTest, BytesAndFilesKeepTheirOrder) {
  output_.tail() += "one ";
  output_.AddFile(FileWith("0123456789"), 2, 3);
  output_.tail() += " two ";
  output_.AddFile(FileWith("abc"), 0, 3);
  output_.tail() += " three";
  EXPECT_EQ(output_.memory_bytes(), 15u);
  EXPECT_EQ(Flush(), Output::Result::kEmpty);
  EXPECT_EQ(Heard(), "one 234 two abc three");
  EXPECT_EQ(sent_, 21u);
}

TEST_F(OutputTest, ALargeBodyGoesAtOnceBehindItsHead) {
  output_.tail() += "head ";
  const std::string body(8'000, 'b');
  output_.AddLarge(ours_.get(), body, kNoBound, &sent_);
  EXPECT_EQ(sent_, 8'005u);
  EXPECT_TRUE(output_.empty());
  EXPECT_EQ(Heard(), "head " + body);
}

TEST_F(OutputTest, OfALargeBodyTheRestIsKept) {
  std::string all = "head ";
  output_.tail() = all;
  {
    const std::string body(8'000'000, 'b');
    output_.AddLarge(ours_.get(), body, kNoBound, &sent_);
    all += body;
  }  // what was not sent was copied
  EXPECT_GT(sent_, 0u);
  EXPECT_LT(sent_, all.size());
  EXPECT_EQ(output_.memory_bytes(), all.size() - sent_);
  output_.tail() += " tail";
  all += " tail";
  std::string heard = Heard();
  while (Flush() == Output::Result::kBlocked) heard += Heard();
  EXPECT_TRUE(heard + Heard() == all);
}

TEST_F(OutputTest, ALargeBodyWaitsForTheFilesBeforeIt) {
  output_.AddFile(FileWith("file "), 0, 5);
  output_.AddLarge(ours_.get(), "large", kNoBound, &sent_);
  EXPECT_EQ(sent_, 0u);
  EXPECT_EQ(Flush(), Output::Result::kEmpty);
  EXPECT_EQ(Heard(), "file large");
}

TEST_F(OutputTest, ALargeBodyToAPeerThatLeftIsFlushsError) {
  theirs_.Reset();
  output_.AddLarge(ours_.get(), "large", kNoBound, &sent_);
  EXPECT_EQ(sent_, 0u);
  EXPECT_EQ(Flush(), Output::Result::kBroken);
}

TEST_F(OutputTest, AnEmptyRangeIsNoSegment) {
  output_.AddFile(FileWith("x"), 0, 0);
  EXPECT_TRUE(output_.empty());
}

TEST_F(OutputTest, ASlowPeerGetsEverythingInTheEnd) {
  const std::string bytes(3'000'000, 'b');
  output_.tail() = bytes;
  EXPECT_EQ(Flush(), Output::Result::kBlocked);
  EXPECT_EQ(output_.memory_bytes(), bytes.size() - sent_);
  std::string heard = Heard();
  while (Flush() == Output::Result::kBlocked) heard += Heard();
  EXPECT_EQ(heard.size() + Heard().size(), bytes.size());
  EXPECT_EQ(sent_, bytes.size());
}

TEST_F(OutputTest, ALargeFileLeavesTurnsToOthers) {
  output_.AddFile(FileWith(std::string(600'000, 'f')), 0, 600'000);
  size_t heard = 0;
  int flushes = 0;
  for (; Flush(kShare) != Output::Result::kEmpty; ++flushes) {
    EXPECT_LE(sent_ - heard, kShare);
    heard += Heard().size();
  }
  EXPECT_GE(flushes, 5);
  EXPECT_EQ(heard + Heard().size(), 600'000u);
}

TEST_F(OutputTest, ManyBytesLeaveTurnsToOthers) {
  output_.tail() = "head ";
  output_.AddFile(FileWith(std::string(150'000, 'f')), 0, 150'000);
  output_.tail() = std::string(150'000, 'b');
  EXPECT_EQ(Flush(0), Output::Result::kYield);
  EXPECT_EQ(sent_, 0u);
  uint64_t heard = 0;
  int flushes = 0;
  for (; Flush(50'000) == Output::Result::kYield; ++flushes) {
    EXPECT_EQ(sent_ - heard, 50'000u);
    heard += Heard().size();
  }
  EXPECT_EQ(flushes, 6);
  EXPECT_EQ(sent_, 300'005u);
}

TEST_F(OutputTest, OfALargeBodyTheShareGoesAtOnce) {
  output_.tail() += "head ";
  const std::string body(60'000, 'b');
  output_.AddLarge(ours_.get(), body, 20'000, &sent_);
  EXPECT_EQ(sent_, 20'000u);
  EXPECT_EQ(output_.memory_bytes(), 40'005u);
  output_.AddLarge(ours_.get(), body, 20'000, &sent_);
  EXPECT_EQ(sent_, 20'000u) << "what is queued is more than the share";
  EXPECT_EQ(Flush(), Output::Result::kEmpty);
  EXPECT_TRUE(Heard() == "head " + body + body);
}

TEST_F(OutputTest, AFileThatIsShorterThanPromisedBreaksTheConnection) {
  output_.AddFile(FileWith("short"), 0, 10);
  EXPECT_EQ(Flush(), Output::Result::kBroken);
}

TEST_F(OutputTest, APeerThatLeftBreaksTheConnection) {
  theirs_.Reset();
  output_.tail() += "hello?";
  EXPECT_EQ(Flush(), Output::Result::kBroken);
}

TEST_F(OutputTest, TheSocketIsBlockingAgainAfterAFile) {
  output_.AddFile(FileWith("abc"), 0, 3);
  EXPECT_EQ(Flush(), Output::Result::kEmpty);
  EXPECT_EQ(fcntl(ours_.get(), F_GETFL) & O_NONBLOCK, 0);
}

TEST_F(OutputTest, MemoryDoesNotGrowWhileThePeerKeepsUp) {
  // Always something queued, never more than a little: what was sent must not pile up.
  output_.tail() = std::string(1'000'000, 'b');
  for (int i = 0; i < 2000; ++i) {
    Flush();
    Heard();
    if (output_.memory_bytes() < 500'000) output_.tail().append(200'000, 'b');
  }
  EXPECT_LT(output_.tail().capacity(), 10'000'000u);
}

}  // namespace
}  // namespace uc::worker
