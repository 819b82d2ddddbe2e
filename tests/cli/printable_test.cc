#include "tools/printable.h"

#include <string>

#include "gtest/gtest.h"

namespace uc::tools {
namespace {

TEST(PrintableTest, PlainTextStays) {
  for (const char* text :
       {"", "plain text ~", "m\xc3\xbcsli", "\xe2\x82\xac", "\xf0\x9f\x99\x82"}) {
    EXPECT_EQ(Printable(text), text);
    EXPECT_TRUE(IsUtf8(text));
  }
}

TEST(PrintableTest, ControlCharactersBecomeSpaces) {
  EXPECT_EQ(Printable("a\033]0;owned\007b\r\n\tc\x7f"), "a ]0;owned b   c ");
  EXPECT_EQ(Printable(std::string("a\0b", 3)), "a b");
  // CSI as one character of C1.
  EXPECT_EQ(Printable("\xc2\x9b"
                      "31mred"),
            " 31mred");
}

TEST(PrintableTest, WhatIsNoUtf8BecomesAQuestionMark) {
  EXPECT_EQ(Printable("caf\xe9"), "caf?");
  EXPECT_EQ(Printable("\x9b"
                      "1m"),
            "?1m");
  EXPECT_EQ(Printable("a\xe2\x82"), "a??");          // cut
  EXPECT_EQ(Printable("\xc0\xaf"), "??");            // overlong
  EXPECT_EQ(Printable("\xe0\x80\x80"), "???");       // overlong
  EXPECT_EQ(Printable("\xed\xa0\x80"), "???");       // surrogate
  EXPECT_EQ(Printable("\xf4\x90\x80\x80"), "????");  // beyond U+10FFFF
  EXPECT_FALSE(IsUtf8("caf\xe9"));
  EXPECT_FALSE(IsUtf8("\xff"));
}

}  // namespace
}  // namespace uc::tools
