#include "core/ring/tag.h"

#include "gtest/gtest.h"

namespace uc::ring {
namespace {

TEST(TagTest, PartsHaveTheirOwnBits) {
  EXPECT_EQ((Tag{Op::kTick, 0x123456, 0x89abcdef}.Pack()), 0x04123456'89abcdefull);
}

TEST(TagTest, PackedTagUnpacks) {
  for (const Op op :
       {Op::kIgnore, Op::kAccept, Op::kReceive, Op::kWritable, Op::kTick, Op::kLink, Op::kWake}) {
    for (const Tag tag : {Tag{op, 0, 0}, Tag{op, kGenerationMask, 0xffffffff}, Tag{op, 1, 2}}) {
      EXPECT_EQ(Tag::Unpack(tag.Pack()), tag);
    }
  }
}

TEST(TagTest, GenerationWrapsWithoutTouchingTheOperation) {
  EXPECT_EQ(Tag::Unpack(Tag{Op::kTick, kGenerationMask + 1, 5}.Pack()), (Tag{Op::kTick, 0, 5}));
}

}  // namespace
}  // namespace uc::ring
