#include "core/coordinator/reply.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "absl/strings/str_cat.h"
#include "core/base/fd.h"
#include "gtest/gtest.h"

namespace uc::coordinator {
namespace {

class ReplyTest : public testing::Test {
 protected:
  ReplyTest() {
    std::string pattern = absl::StrCat(testing::TempDir(), "/reply-XXXXXX");
    directory_ = mkdtemp(pattern.data());
    path_ = directory_ + "/ticket";
  }
  ~ReplyTest() override {
    unlink(path_.c_str());
    rmdir(directory_.c_str());
  }
  void Ask() {
    EXPECT_EQ(mkfifo(path_.c_str(), 0600), 0);
    reader_.Reset(open(path_.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  }
  std::string Answer() {
    char text[8192];
    const ssize_t size = read(reader_.get(), text, sizeof(text));
    return size > 0 ? std::string(text, size) : "";
  }

  std::string directory_;
  std::string path_;
  Fd reader_;
};

TEST_F(ReplyTest, ProgressThenOneEnd) {
  Ask();
  Reply reply = Reply::Open(path_);
  reply.Progress("slot 0 ready");
  reply.End(policy::Outcome::kDone, "2 workers");
  reply.Progress("too late");
  EXPECT_EQ(Answer(), "progress slot 0 ready\ndone 2 workers\n");
}

TEST_F(ReplyTest, NewlinesCannotForgeLines) {
  Ask();
  Reply reply = Reply::Open(path_);
  reply.End(policy::Outcome::kFailed, "a\ndone b");
  EXPECT_EQ(Answer(), "failed a done b\n");
}

TEST_F(ReplyTest, NobodyReadingIsNoFault) {
  EXPECT_EQ(mkfifo(path_.c_str(), 0600), 0);
  Reply::Open(path_).End(policy::Outcome::kRefused, "nobody hears");
}

TEST_F(ReplyTest, OrdinaryFileIsNotWrittenTo) {
  const Fd file(open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  Reply::Open(path_).End(policy::Outcome::kDone, "secret");
  EXPECT_EQ(lseek(file.get(), 0, SEEK_END), 0);
}

TEST_F(ReplyTest, SymlinkIsNotFollowed) {
  EXPECT_EQ(symlink("/dev/null", path_.c_str()), 0);
  Reply::Open(path_).End(policy::Outcome::kDone, "nothing");
}

}  // namespace
}  // namespace uc::coordinator
