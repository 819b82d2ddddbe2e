#include "core/coordinator/process_memory.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

namespace uc::coordinator {
namespace {

constexpr size_t kBlock = size_t{32} << 20;
// What else a process of this program may take: ThreadSanitizer keeps about four bytes for each byte of a block.
#ifdef __SANITIZE_THREAD__
constexpr size_t kBlocksMax = 12;
#else
constexpr size_t kBlocksMax = 3;
#endif

// A child that keeps kBlock resident and, `depth` generations down, children that do the same.
class Tree {
 public:
  explicit Tree(int depth) {
    EXPECT_EQ(pipe(ready_), 0);
    EXPECT_EQ(pipe(end_), 0);
    child_ = fork();
    if (child_ == 0) Live(depth);
    char byte;
    for (int generation = 0; generation < depth; ++generation) {
      EXPECT_EQ(read(ready_[0], &byte, 1), 1);
    }
  }
  ~Tree() {
    close(end_[1]);
    waitpid(child_, nullptr, 0);
    for (const int fd : {ready_[0], ready_[1], end_[0]}) close(fd);
  }
  pid_t pid() const { return child_; }

 private:
  [[noreturn]] void Live(int depth) {
    close(end_[1]);
    std::string block(kBlock, 'x');
    const pid_t child = depth > 1 ? fork() : 1;
    if (child == 0) {
      block.assign(kBlock, 'y');  // its own pages
      if (depth > 2) Live(depth - 1);
    }
    char byte = block[static_cast<size_t>(getpid()) % kBlock];
    _exit(write(ready_[1], &byte, 1) == 1 && read(end_[0], &byte, 1) == 0 ? 0 : 1);
  }

  int ready_[2], end_[2];
  pid_t child_ = 0;
};

TEST(ProcessMemoryTest, SeesWhatAProcessKeeps) {
  const Tree tree(1);
  const uint64_t bytes = ResidentBytes(tree.pid());
  EXPECT_GE(bytes, kBlock);
  EXPECT_LT(bytes, kBlocksMax * kBlock);
}

TEST(ProcessMemoryTest, ChildrenCount) {
  const Tree tree(2);
  EXPECT_GE(ResidentBytes(tree.pid()), 2 * kBlock);
}

TEST(ProcessMemoryTest, WhoIsGoneHasNone) {
  const pid_t child = fork();
  if (child == 0) _exit(0);
  waitpid(child, nullptr, 0);
  EXPECT_EQ(ResidentBytes(child), 0u);
}

}  // namespace
}  // namespace uc::coordinator
