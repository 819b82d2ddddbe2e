// AskedCommands: who asked is told, once, and nobody else is.
#include "core/coordinator/asked_commands.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <string>
#include <utility>

namespace uc::coordinator {
namespace {

class AskedCommandsTest : public testing::Test {
 protected:
  AskedCommandsTest() {
    int ends[2];
    EXPECT_EQ(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    reading_ = Fd(ends[0]);
    writing_ = Fd(ends[1]);
  }
  std::string Heard() {
    char text[1024];
    const ssize_t size = read(reading_.get(), text, sizeof(text));
    return size > 0 ? std::string(text, static_cast<size_t>(size)) : "";
  }
  Fd reading_;
  Fd writing_;
  ClusterLog log_;
  AskedCommands asked_{log_};
};

TEST_F(AskedCommandsTest, TheAskerHearsOfProgressAndThenTheAnswer) {
  const int fd = writing_.get();
  const policy::CommandId reload =
      asked_.Add(policy::Reload{}, Reply::Continue(std::move(writing_)));
  EXPECT_EQ(asked_.reply(reload), fd);
  asked_.Tell({reload, "slot 0"});
  EXPECT_EQ(Heard(), "progress slot 0\n");
  asked_.Answer({reload, policy::Outcome::kDone, "2 workers"});
  EXPECT_EQ(Heard(), "done 2 workers\n");
  EXPECT_EQ(asked_.reply(reload), -1);
}

TEST_F(AskedCommandsTest, AnotherCommandsAnswerIsNotItsOwn) {
  const policy::CommandId nobodys = asked_.Add(policy::Reload{}, Reply());
  const policy::CommandId reload =
      asked_.Add(policy::Reload{}, Reply::Continue(std::move(writing_)));
  EXPECT_EQ(asked_.reply(nobodys), -1);
  asked_.Answer({nobodys, policy::Outcome::kDone, "2 workers"});
  asked_.Tell({nobodys, "too late"});
  asked_.Answer({reload + 1, policy::Outcome::kDone, "never asked"});
  EXPECT_EQ(Heard(), "");
}

}  // namespace
}  // namespace uc::coordinator
