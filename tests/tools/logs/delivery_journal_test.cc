#include "tools/logs/delivery_journal.h"

#include <unistd.h>

#include "gtest/gtest.h"
#include "tests/tools/logs/folder.h"
#include "tools/logs/rotated_file.h"

namespace uc::tools {
namespace {

// A log writer is killed: what it had not done is done by the next one, which has the same journal.
class DeliveryJournalTest : public testing::Test {
 protected:
  // Whether the piece is in the file; else it has to be written again.
  bool NextOneFindsThePiece() {
    const DeliveryJournal next(folder_.Path("journal"));
    const std::optional<DeliveryJournal::Unfinished> unfinished = next.Read();
    EXPECT_TRUE(unfinished.has_value());
    EXPECT_EQ(unfinished->source, "0-1.out");
    EXPECT_EQ(unfinished->size, 5u);
    return RotatedFile(folder_.Path("log"), 1000, 1).Finish(*unfinished);
  }
  // Killed behind the write of "line\n".
  void WriteALine() {
    DeliveryJournal journal(folder_.Path("journal"));
    RotatedFile file(folder_.Path("log"), 1000, 1);
    file.Append("before\n");
    journal.Begin("0-1.out", 5);
    file.Append("line\n", &journal);
  }
  void CutTo(const std::string& name, off_t size) {
    ASSERT_EQ(truncate(folder_.Path(name).c_str(), size), 0);
  }
  bool NothingIsUnfinished() { return !DeliveryJournal(folder_.Path("journal")).Read(); }

  const Folder folder_;
};

TEST_F(DeliveryJournalTest, PieceThatWasWrittenIsNotWrittenAgain) {
  WriteALine();
  EXPECT_TRUE(NextOneFindsThePiece());
  EXPECT_EQ(folder_.Read("log"), "before\nline\n");
}

TEST_F(DeliveryJournalTest, PieceThatWasTornIsCutOff) {
  WriteALine();
  CutTo("log", 9);
  EXPECT_FALSE(NextOneFindsThePiece());
  EXPECT_EQ(folder_.Read("log"), "before\n");
}

TEST_F(DeliveryJournalTest, PieceThatWasNotBegunChangesNothing) {
  WriteALine();
  CutTo("log", 7);
  EXPECT_FALSE(NextOneFindsThePiece());
  EXPECT_EQ(folder_.Read("log"), "before\n");
}

TEST_F(DeliveryJournalTest, AnotherFileInItsPlaceIsLeftAlone) {
  WriteALine();
  ASSERT_EQ(rename(folder_.Path("log").c_str(), folder_.Path("moved").c_str()), 0);
  folder_.Write("log", "before\nli");
  EXPECT_FALSE(NextOneFindsThePiece());
  EXPECT_EQ(folder_.Read("log"), "before\nli");
}

TEST_F(DeliveryJournalTest, NothingIsUnfinishedBeforeTheWriteAndBehindIt) {
  EXPECT_TRUE(NothingIsUnfinished());
  DeliveryJournal journal(folder_.Path("journal"));
  journal.Begin("0-1.out", 5);
  EXPECT_TRUE(NothingIsUnfinished());
  WriteALine();
  EXPECT_FALSE(NothingIsUnfinished());
  journal.Taking();
  EXPECT_TRUE(NothingIsUnfinished());
  journal.End();
  EXPECT_TRUE(NothingIsUnfinished());
}

TEST_F(DeliveryJournalTest, JournalThatCannotBeKeptIsNoFault) {
  DeliveryJournal journal(folder_.Path("missing/journal"));
  journal.Begin("0-1.out", 5);
  journal.End();
  EXPECT_FALSE(journal.Read().has_value());
}

}  // namespace
}  // namespace uc::tools
