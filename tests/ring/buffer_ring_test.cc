// The book-keeping of buffers, with completions as kernels write them, the faulty ones too.
#include "core/ring/buffer_ring.h"

#include <memory>

#include "core/ring/uapi.h"
#include "gtest/gtest.h"

namespace uc::ring {
namespace {

using Mode = BufferRing::Mode;

constexpr uint32_t Of(uint16_t id, uint32_t flags = 0) {
  return uint32_t{id} << IORING_CQE_BUFFER_SHIFT | IORING_CQE_F_BUFFER | flags;
}

class BufferRingTest : public testing::Test {
 protected:
  void Make(Mode mode) {
    buffers_ = BufferRing::Map(mode, 2, 100);
    begin_ = Take(Of(0), 1).data();
    buffers_->Recycle(Of(0), 1);
  }
  absl::string_view Take(uint32_t flags, int32_t result) { return buffers_->Take(flags, result); }
  // Where the next completion of buffer 0 would lie.
  long Offset() { return Take(Of(0, kCqeBufMore), 1).data() - begin_; }

  std::unique_ptr<BufferRing> buffers_;
  const char* begin_ = nullptr;
};

TEST_F(BufferRingTest, IncrementalCompletionsLieOneBehindTheOther) {
  Make(Mode::kIncremental);
  EXPECT_EQ(Take(Of(0, kCqeBufMore), 30).data(), begin_);
  buffers_->Recycle(Of(0, kCqeBufMore), 30);
  EXPECT_EQ(Take(Of(0), 70).data(), begin_ + 30);
  buffers_->Recycle(Of(0), 70);
  EXPECT_EQ(Offset(), 0);
}

TEST_F(BufferRingTest, BuffersHaveTheirOwnOffsets) {
  Make(Mode::kIncremental);
  Take(Of(0, kCqeBufMore), 30);
  EXPECT_EQ(Take(Of(1), 100).data(), begin_ + 100);
  buffers_->Recycle(Of(1), 100);
  EXPECT_EQ(Offset(), 30);
}

// liburing issues 1545 and 1553.
TEST_F(BufferRingTest, EndOfStreamWithoutBufMoreKeepsAnIncrementalBuffer) {
  Make(Mode::kIncremental);
  Take(Of(0, kCqeBufMore), 30);
  buffers_->Recycle(Of(0), 0);
  EXPECT_EQ(Offset(), 30);
}

TEST_F(BufferRingTest, ErrorWithABufferKeepsAnIncrementalBuffer) {
  Make(Mode::kIncremental);
  Take(Of(0, kCqeBufMore), 30);
  buffers_->Recycle(Of(0), -ECONNRESET);
  EXPECT_EQ(Offset(), 30);
}

TEST_F(BufferRingTest, AnyCompletionUsesAPlainBufferUp) {
  Make(Mode::kPlain);
  Take(Of(0), 30);
  buffers_->Recycle(Of(0), 30);
  EXPECT_EQ(Offset(), 0);
  buffers_->Recycle(Of(0), 0);
  EXPECT_EQ(Offset(), 0);
}

using BufferRingDeathTest = BufferRingTest;

TEST_F(BufferRingDeathTest, MoreBytesThanABufferHasAreImpossible) {
  Make(Mode::kIncremental);
  Take(Of(0, kCqeBufMore), 30);
  EXPECT_EXIT(Take(Of(0), 71), testing::KilledBySignal(SIGABRT), "check failed");
}

TEST_F(BufferRingDeathTest, BufferThatDoesNotExistIsImpossible) {
  Make(Mode::kIncremental);
  EXPECT_EXIT(Take(Of(2), 1), testing::KilledBySignal(SIGABRT), "check failed");
  EXPECT_EXIT(buffers_->Recycle(Of(2), 1), testing::KilledBySignal(SIGABRT), "check failed");
}

TEST_F(BufferRingDeathTest, CountIsAPowerOfTwo) {
  EXPECT_EXIT(BufferRing::Map(Mode::kPlain, 3, 100), testing::KilledBySignal(SIGABRT),
              "check failed");
}

}  // namespace
}  // namespace uc::ring
