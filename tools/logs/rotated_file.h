// RotatedFile: one log file that grows to a size and is then renamed to FILE.1, FILE.1 to FILE.2, and so on.
//
// Owns the descriptor; one writer. Nothing fails here: what cannot be written is counted, said once in one line on
// stderr, and marked in the file itself when there is room again.
#ifndef TOOLS_LOGS_ROTATED_FILE_H_
#define TOOLS_LOGS_ROTATED_FILE_H_

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "core/base/fd.h"

namespace uc::tools {

class RotatedFile {
 public:
  // `files`: old ones that are kept; 0: a full file is emptied.
  RotatedFile(std::string path, int64_t size_max, int files);

  // Text that ends in a newline, if its writer has ended it. A line stays whole within one file.
  void Append(absl::string_view text);
  // Opens the path again: somebody has renamed the file.
  void Reopen() { file_.Reset(); }
  uint64_t lines_lost() const { return lost_; }

 private:
  bool Ready();
  bool Write(absl::string_view text);
  void Rotate();
  void Lose(absl::string_view text, int error);
  std::string Old(int number) const;

  const std::string path_;
  const int64_t size_max_;
  const int files_;
  Fd file_;
  bool regular_ = false;
  int64_t size_ = 0;
  uint64_t lost_ = 0;      // ever
  uint64_t unmarked_ = 0;  // of them since the file was last in order
};

}  // namespace uc::tools

#endif  // TOOLS_LOGS_ROTATED_FILE_H_
