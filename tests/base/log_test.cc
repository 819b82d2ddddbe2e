#include "core/base/log.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <thread>
#include <vector>

#include "absl/strings/string_view.h"
#include "core/base/fd.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace uc {
namespace {

using testing::ElementsAre;
using testing::EndsWith;
using testing::MatchesRegex;

// stderr is a socket that keeps the borders of writes: one read is one write(2).
class LogTest : public testing::Test {
 protected:
  LogTest() {
    int ends[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
    reader_.Reset(ends[0]);
    const Fd writer(ends[1]);
    stderr_.Reset(fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3));
    dup2(writer.get(), STDERR_FILENO);
    SetLogIdentity("worker 2/7");
  }
  ~LogTest() override {
    SetLogThreshold(Severity::kInfo);
    dup2(stderr_.get(), STDERR_FILENO);
  }
  std::vector<std::string> Writes() {
    std::vector<std::string> writes;
    char text[8192];
    for (ssize_t size; (size = read(reader_.get(), text, sizeof(text))) > 0;) {
      writes.emplace_back(text, size);
    }
    return writes;
  }
  std::string Written(absl::string_view text) {
    LogInfo(text);
    const std::vector<std::string> writes = Writes();
    return writes.size() == 1 ? writes[0] : "not one write";
  }

  Fd reader_;
  Fd stderr_;
};

TEST_F(LogTest, LineHasTimeSeverityIdentityAndText) {
  EXPECT_THAT(Written("ready"),
              MatchesRegex("[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z "
                           "info  worker 2/7: ready\n"));
}

TEST_F(LogTest, SeveritiesHaveNamesOfOneWidth) {
  LogInfo("a");
  LogWarning("b");
  LogError("c");
  EXPECT_THAT(Writes(),
              ElementsAre(EndsWith("Z info  worker 2/7: a\n"), EndsWith("Z warn  worker 2/7: b\n"),
                          EndsWith("Z error worker 2/7: c\n")));
}

TEST_F(LogTest, ControlCharactersCannotForgeLines) {
  EXPECT_THAT(Written(absl::string_view("a\nb\r\x1b[2J\t\x7f\0z", 12)),
              EndsWith(": a?b??[2J???z\n"));
}

TEST_F(LogTest, BytesPastAsciiPass) { EXPECT_THAT(Written("für"), EndsWith(": für\n")); }

TEST_F(LogTest, EmptyTextIsALine) { EXPECT_THAT(Written(""), EndsWith("worker 2/7: \n")); }

TEST_F(LogTest, TextIsCutAtTwoThousandBytes) {
  EXPECT_THAT(Written(std::string(2000, 'x')), EndsWith(": " + std::string(2000, 'x') + "\n"));
  EXPECT_THAT(Written(std::string(9000, 'x')), EndsWith(": " + std::string(2000, 'x') + "\n"));
}

TEST_F(LogTest, LinesBelowTheThresholdAreDropped) {
  SetLogThreshold(Severity::kError);
  LogInfo("a");
  LogWarning("b");
  LogError("c");
  EXPECT_THAT(Writes(), ElementsAre(EndsWith(": c\n")));
}

TEST_F(LogTest, EachLineIsOneWriteFromManyThreads) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([] {
      for (int line = 0; line < 10; ++line) LogInfo("from a thread");
    });
  }
  for (std::thread& thread : threads) thread.join();
  const std::vector<std::string> writes = Writes();
  EXPECT_EQ(writes.size(), 40u);
  EXPECT_THAT(writes, testing::Each(EndsWith("worker 2/7: from a thread\n")));
}

TEST_F(LogTest, LostLineIsNoFault) {
  signal(SIGPIPE, SIG_IGN);
  reader_.Reset();
  LogError("nobody hears");
  close(STDERR_FILENO);
  LogError("nobody hears");
}

}  // namespace
}  // namespace uc
