#include "core/coordinator/reply.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <vector>

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
  DescriptorReserve reserve_{2};
};

TEST_F(ReplyTest, ProgressThenOneEnd) {
  Ask();
  Reply reply = Reply::Open(path_, reserve_);
  reply.Progress("slot 0 ready");
  reply.End(policy::Outcome::kDone, "2 workers");
  reply.Progress("too late");
  EXPECT_EQ(Answer(), "progress slot 0 ready\ndone 2 workers\n");
}

TEST_F(ReplyTest, NewlinesCannotForgeLines) {
  Ask();
  Reply reply = Reply::Open(path_, reserve_);
  reply.End(policy::Outcome::kFailed, "a\ndone b");
  EXPECT_EQ(Answer(), "failed a done b\n");
}

TEST_F(ReplyTest, NobodyReadingIsNoFault) {
  EXPECT_EQ(mkfifo(path_.c_str(), 0600), 0);
  Reply::Open(path_, reserve_).End(policy::Outcome::kRefused, "nobody hears");
}

TEST_F(ReplyTest, OrdinaryFileIsNotWrittenTo) {
  const Fd file(open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  Reply::Open(path_, reserve_).End(policy::Outcome::kDone, "secret");
  EXPECT_EQ(lseek(file.get(), 0, SEEK_END), 0);
}

TEST_F(ReplyTest, SymlinkIsNotFollowed) {
  EXPECT_EQ(symlink("/dev/null", path_.c_str()), 0);
  Reply::Open(path_, reserve_).End(policy::Outcome::kDone, "nothing");
}

// --- Withdrawn commands ---

TEST_F(ReplyTest, WithdrawnCommandHasNoReply) {
  Ask();
  ASSERT_EQ(flock(reader_.get(), LOCK_EX | LOCK_NB), 0);
  EXPECT_FALSE(Reply::Open(path_, reserve_).open());
}

TEST_F(ReplyTest, TakenCommandCannotBeWithdrawnUntilItHasEnded) {
  Ask();
  Reply reply = Reply::Open(path_, reserve_);
  EXPECT_NE(flock(reader_.get(), LOCK_EX | LOCK_NB), 0);
  reply.End(policy::Outcome::kDone, "2 workers");
  EXPECT_EQ(flock(reader_.get(), LOCK_EX | LOCK_NB), 0);
}

// --- Descriptors are short ---

// All that this process may open is open; what is closed meanwhile is taken again.
class NoDescriptors {
 public:
  NoDescriptors() {
    getrlimit(RLIMIT_NOFILE, &before_);
    rlimit few = before_;
    few.rlim_cur = 64;
    setrlimit(RLIMIT_NOFILE, &few);
    Fill();
  }
  ~NoDescriptors() {
    taken_.clear();
    setrlimit(RLIMIT_NOFILE, &before_);
  }
  void Fill() {
    for (int fd; (fd = dup(STDIN_FILENO)) >= 0;) taken_.emplace_back(fd);
  }

 private:
  rlimit before_ = {};
  std::vector<Fd> taken_;
};

TEST_F(ReplyTest, ReserveIsThereWhenNoDescriptorIsLeft) {
  Ask();
  NoDescriptors none;
  Reply reply = Reply::Open(path_, reserve_);
  ASSERT_TRUE(reply.open());
  EXPECT_FALSE(reserve_.full());
  none.Fill();
  reply.Accepted();
  EXPECT_EQ(Answer(), "accepted \n");
}

TEST_F(ReplyTest, ReserveIsFilledAgainByWhatTheReplyGivesBack) {
  Ask();
  const NoDescriptors none;
  for (int asked = 0; asked < 5; ++asked) {
    Reply reply = Reply::Open(path_, reserve_);
    ASSERT_TRUE(reply.open());
    reply.End(policy::Outcome::kDone, "pong");
    EXPECT_EQ(Answer(), "done pong\n");
    reserve_.Refill();
    EXPECT_TRUE(reserve_.full());
  }
}

TEST_F(ReplyTest, RepliesThatWaitUseTheReserveUp) {
  Ask();
  const NoDescriptors none;
  const Reply first = Reply::Open(path_, reserve_);
  const Reply second = Reply::Open(path_, reserve_);
  EXPECT_TRUE(second.open());
  EXPECT_TRUE(reserve_.empty());
  EXPECT_FALSE(Reply::Open(path_, reserve_).open());
}

TEST_F(ReplyTest, ReserveIsNotTouchedWhileThereAreOthersOrNobodyReads) {
  const Reply nobody = Reply::Open(path_, reserve_);
  EXPECT_TRUE(reserve_.full());
  Ask();
  const Reply reply = Reply::Open(path_, reserve_);
  EXPECT_TRUE(reserve_.full());
}

}  // namespace
}  // namespace uc::coordinator
