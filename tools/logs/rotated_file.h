// RotatedFile: one log file that grows to a size and is then renamed to FILE.1, FILE.1 to FILE.2, and so on.
//
// Owns the descriptor; one writer. Nothing fails here: what cannot be written is counted, said once in one line on
// stderr, and marked in the file itself when there is room again.
#ifndef TOOLS_LOGS_ROTATED_FILE_H_
#define TOOLS_LOGS_ROTATED_FILE_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "core/base/fd.h"
#include "core/base/log_folder.h"
#include "tools/logs/delivery_journal.h"

namespace uc::tools {

class RotatedFile {
 public:
  // `files`: old ones that are kept; 0: a full file is emptied.
  RotatedFile(std::string path, int64_t size_max, int files);

  // Text that ends in a newline, if its writer has ended it. A line stays whole within one file. `journal` hears of the
  // write; it is about one, so the text is not longer than MakeRoom() says.
  void Append(absl::string_view text, DeliveryJournal* journal = nullptr);
  // So many bytes an Append that begins with a line of `line` bytes writes at once, into one file; rotates for it. 0: the
  // file cannot be written now, what is appended is lost.
  size_t MakeRoom(size_t line);
  // A log writer before us was killed in this file. True: all of the piece is there; else none of it is.
  bool Finish(const DeliveryJournal::Unfinished& unfinished);
  // Opens the path again: somebody has renamed the file, or its folder.
  void Reopen();
  uint64_t lines_lost() const { return lost_; }

 private:
  absl::Status Ready();
  absl::Status Open();
  absl::Status Write(absl::string_view text, DeliveryJournal* journal);
  absl::Status Rotate();
  void Lose(absl::string_view text, absl::string_view why);

  const std::string path_;
  const int64_t size_max_;
  const int files_;
  std::optional<LogFolder> folder_;
  Fd file_;
  bool regular_ = false;
  int64_t size_ = 0;
  uint64_t lost_ = 0;      // ever
  uint64_t unmarked_ = 0;  // of them since the file was last in order
};

}  // namespace uc::tools

#endif  // TOOLS_LOGS_ROTATED_FILE_H_
