// OwnLog: the log file that is our stderr. It grows to a size and then becomes FILE.1, as the files of the workers do.
//
// Several processes write into it, each with a descriptor of its own: the coordinator, and the log writer for what the
// workers say. Each of them may rotate it; a lock on the file lets one of them do it, and the others find that the name
// stands for another file and open that one. Nobody waits for the lock.
#ifndef CORE_BASE_OWN_LOG_H_
#define CORE_BASE_OWN_LOG_H_

#include <sys/stat.h>

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "core/base/log_folder.h"

namespace uc {

struct LogLimits {
  int64_t size_max = 10 << 20;
  int files = 5;  // old ones that are kept; 0: a full one is emptied
};

class OwnLog {
 public:
  // `path`: empty: stderr is no file of ours, and nothing below does anything.
  OwnLog(std::string path, LogLimits limits);

  // Opens the path, again perhaps, and makes it stderr; and stdout, if that was the same file. On failure everything
  // stays as it is; one line without the path.
  absl::Status Open();
  // Between two lines, or a few: rotates a file that is full, and follows one that has been renamed or removed. True: stderr
  // is another file now.
  bool Tend();

 private:
  bool Rotate();

  const std::string path_;
  const LogLimits limits_;
  std::optional<LogFolder> folder_;
};

}  // namespace uc

#endif  // CORE_BASE_OWN_LOG_H_
