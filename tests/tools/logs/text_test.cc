// What the logs do to bytes, without any file: lines, dates, sizes.
#include "gtest/gtest.h"
#include "tools/byte_size.h"
#include "tools/logs/date_format.h"
#include "tools/logs/line_maker.h"

namespace uc::tools {
namespace {

TEST(LineMakerTest, PiecesBecomeWholeLines) {
  LineMaker lines;
  EXPECT_EQ(lines.Take("a", "> "), "");
  EXPECT_EQ(lines.Take("b\nc\nd", "> "), "> ab\n> c\n");
  EXPECT_EQ(lines.Take("", "> "), "");
  EXPECT_EQ(lines.End("> "), "> d\n");
  EXPECT_EQ(lines.End("> "), "");
}

TEST(LineMakerTest, EmptyLinesAreLines) {
  LineMaker lines;
  EXPECT_EQ(lines.Take("\n\n", "> "), "> \n> \n");
}

TEST(LineMakerTest, EndlessLineIsPassedOnInPartsWithOnePrefix) {
  LineMaker lines;
  const std::string part(LineMaker::kLineMax + 1, 'x');
  EXPECT_EQ(lines.Take(part, "> "), "> " + part);
  EXPECT_EQ(lines.Take(part, "> "), part);
  EXPECT_EQ(lines.Take("end\nnext\n", "> "), "end\n> next\n");
}

TEST(DateFormatTest, MomentsLettersBecomeOurs) {
  EXPECT_EQ(ToAbslFormat("YYYY-MM-DDTHH:mm:ss"), "%Y-%m-%dT%H:%M:%S");
  EXPECT_EQ(ToAbslFormat("YYYY-MM-DD HH:mm:ss.SSS Z"), "%Y-%m-%d %H:%M:%E3S %Ez");
  EXPECT_EQ(ToAbslFormat("DD.MM.YY hh:mm A [at] %"), "%d.%m.%y %I:%M %p at %%");
  EXPECT_EQ(ToAbslFormat("[open"), "[open");
}

TEST(ByteSizeTest, UnitsArePM2s) {
  ByteSizeFlag size;
  std::string error;
  EXPECT_TRUE(AbslParseFlag("10M", &size, &error));
  EXPECT_EQ(size.value, 10 << 20);
  EXPECT_EQ(AbslUnparseFlag(size), "10M");
  EXPECT_TRUE(AbslParseFlag("512kb", &size, &error));
  EXPECT_EQ(size.value, 512 << 10);
  EXPECT_TRUE(AbslParseFlag("1G", &size, &error));
  EXPECT_EQ(size.value, 1 << 30);
  EXPECT_TRUE(AbslParseFlag("1500", &size, &error));
  EXPECT_EQ(AbslUnparseFlag(size), "1500");
}

TEST(ByteSizeTest, OtherTextIsRefused) {
  ByteSizeFlag size;
  for (const char* text : {"", "M", "-1", "1.5M", "10X", "10MM", "99999999999G"}) {
    std::string error;
    EXPECT_FALSE(AbslParseFlag(text, &size, &error)) << text;
  }
}

}  // namespace
}  // namespace uc::tools
