#include "tools/logs/rotated_file.h"

#include <stdio.h>
#include <unistd.h>

#include "gtest/gtest.h"
#include "tests/tools/logs/folder.h"

namespace uc::tools {
namespace {

TEST(RotatedFileTest, FullFileIsRenamedAndTheOldestGoes) {
  const Folder folder;
  RotatedFile file(folder.Path("log"), 10, 2);
  for (const char* line : {"aaaaaaa\n", "bbbbbbb\n", "ccccccc\n", "ddddddd\n"}) file.Append(line);
  EXPECT_EQ(folder.Read("log"), "ddddddd\n");
  EXPECT_EQ(folder.Read("log.1"), "ccccccc\n");
  EXPECT_EQ(folder.Read("log.2"), "bbbbbbb\n");
  EXPECT_EQ(folder.Read("log.3"), "-");
  EXPECT_EQ(file.lines_lost(), 0u);
}

TEST(RotatedFileTest, LinesAreCutBetweenLinesOnly) {
  const Folder folder;
  RotatedFile file(folder.Path("log"), 10, 5);
  file.Append("aaaa\nbbbb\ncccc\ndddd\n");
  EXPECT_EQ(folder.Read("log.1"), "aaaa\nbbbb\n");
  EXPECT_EQ(folder.Read("log"), "cccc\ndddd\n");
  file.Append("a line that is longer than a file\ne\n");
  EXPECT_EQ(folder.Read("log.1"), "a line that is longer than a file\n");
  EXPECT_EQ(folder.Read("log"), "e\n");
}

TEST(RotatedFileTest, GoesOnInAFileThatIsThere) {
  const Folder folder;
  folder.Write("log", "12345678\n");
  RotatedFile file(folder.Path("log"), 10, 1);
  file.Append("new\n");
  EXPECT_EQ(folder.Read("log.1"), "12345678\n");
  EXPECT_EQ(folder.Read("log"), "new\n");
}

TEST(RotatedFileTest, WithoutOldFilesAFullOneIsEmptied) {
  const Folder folder;
  RotatedFile file(folder.Path("log"), 10, 0);
  file.Append("aaaaaaa\n");
  file.Append("bbbbbbb\n");
  EXPECT_EQ(folder.Read("log"), "bbbbbbb\n");
  EXPECT_EQ(folder.Read("log.1"), "-");
}

TEST(RotatedFileTest, ReopenAndRemovalBringANewFile) {
  const Folder folder;
  RotatedFile file(folder.Path("log"), 100, 1);
  file.Append("a\n");
  ASSERT_EQ(rename(folder.Path("log").c_str(), folder.Path("moved").c_str()), 0);
  file.Reopen();
  file.Append("b\n");
  EXPECT_EQ(folder.Read("moved"), "a\n");
  EXPECT_EQ(folder.Read("log"), "b\n");
  ASSERT_EQ(unlink(folder.Path("log").c_str()), 0);
  file.Append("c\n");
  EXPECT_EQ(folder.Read("log"), "c\n");
}

TEST(RotatedFileTest, EmptiedFileStartsFromNothing) {
  const Folder folder;
  RotatedFile file(folder.Path("log"), 10, 1);
  file.Append("aaaaaaa\n");
  ASSERT_EQ(truncate(folder.Path("log").c_str(), 0), 0);
  file.Append("bbbbbbb\n");
  EXPECT_EQ(folder.Read("log"), "bbbbbbb\n");
  EXPECT_EQ(folder.Read("log.1"), "-");
}

TEST(RotatedFileTest, RoomIsMadeForALine) {
  const Folder folder;
  RotatedFile file(folder.Path("log"), 10, 1);
  EXPECT_EQ(file.MakeRoom(3), 10u);
  file.Append("1234\n");
  EXPECT_EQ(file.MakeRoom(3), 5u);
  EXPECT_EQ(file.MakeRoom(6), 10u) << "in the next file";
  EXPECT_EQ(folder.Read("log.1"), "1234\n");
  EXPECT_EQ(file.MakeRoom(50), 50u) << "a line that is longer has one for itself";
}

// --- Errors ---

TEST(RotatedFileTest, WhatCannotBeOpenedHasNoRoom) {
  const Folder folder;
  folder.Write("file", "");
  EXPECT_EQ(RotatedFile(folder.Path("file/log"), 10, 1).MakeRoom(1), 0u);
}

TEST(RotatedFileTest, LinkIsNotFollowedAndItsLinesAreCounted) {
  const Folder folder;
  folder.Write("target", "kept\n");
  ASSERT_EQ(symlink("target", folder.Path("log").c_str()), 0);
  RotatedFile file(folder.Path("log"), 10, 1);
  file.Append("a\n");
  EXPECT_EQ(file.lines_lost(), 1u);
  ASSERT_EQ(unlink(folder.Path("log").c_str()), 0);
  file.Append("b\n");
  EXPECT_EQ(folder.Read("log"), "uring-cluster: 1 lines were lost here\nb\n");
  EXPECT_EQ(folder.Read("target"), "kept\n");
}

TEST(RotatedFileTest, FullDiskCountsLines) {
  RotatedFile file("/dev/full", 100, 1);
  file.Append("a\nb\n");
  file.Append("c\n");
  EXPECT_EQ(file.lines_lost(), 3u);
}

TEST(RotatedFileTest, LossIsMarkedWhenTheFileCanBeWrittenAgain) {
  const Folder folder;
  folder.Write("later", "");  // in the place of its folder
  RotatedFile file(folder.Path("later/log"), 1000, 1);
  file.Append("a\nb\n");
  EXPECT_EQ(file.lines_lost(), 2u);
  std::filesystem::remove(folder.Path("later"));
  std::filesystem::create_directory(folder.Path("later"));
  file.Append("c\n");
  file.Append("d\n");
  EXPECT_EQ(folder.Read("later/log"), "uring-cluster: 2 lines were lost here\nc\nd\n");
}

}  // namespace
}  // namespace uc::tools
