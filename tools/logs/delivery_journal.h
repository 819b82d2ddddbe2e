// DeliveryJournal: what the log writer is in the middle of, in a page that outlives it.
//
// A piece of a FIFO is written into a log file, then taken out of the FIFO. A log writer that is killed between any two
// instructions leaves one of these behind:
//
//   kIdle     nothing was begun, or all of it was done
//   kWriting  the file has some of the piece: it is cut back to where it was, and the FIFO still has the piece; or the
//             file has all of it: the piece is taken
//   kTaking   the piece was written and taken. If the kill came in the very instant between the two it is still in the
//             FIFO, and is written twice; it is never lost
//
// Pieces that go to a terminal, a pipe or a device are not known here: they may come twice.
#ifndef TOOLS_LOGS_DELIVERY_JOURNAL_H_
#define TOOLS_LOGS_DELIVERY_JOURNAL_H_

#include <sys/stat.h>

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace uc::tools {

class DeliveryJournal {
 public:
  // What a log writer before us was writing.
  struct Unfinished {
    std::string source;   // name of the FIFO
    size_t size = 0;      // of the piece in it
    uint64_t device = 0;  // the file
    uint64_t inode = 0;
    int64_t before = 0;  // its size without the piece
    int64_t after = 0;   // and with it
  };

  // In `path`, made if it is missing. Where that is impossible (a full disk) nothing is kept: a death can then write a
  // piece twice, or tear a line.
  explicit DeliveryJournal(const std::string& path);
  ~DeliveryJournal();
  DeliveryJournal(const DeliveryJournal&) = delete;
  DeliveryJournal& operator=(const DeliveryJournal&) = delete;

  std::optional<Unfinished> Read() const;

  // The next Writing() is about these bytes.
  void Begin(absl::string_view source, size_t size);
  // From now on a file of this size grows to `after`.
  void Writing(const struct stat& file, int64_t after);
  // It has. Or it was cut back: what was to be written is lost.
  void Taking();
  void End();

 private:
  struct Page;
  Page* page_;
};

}  // namespace uc::tools

#endif  // TOOLS_LOGS_DELIVERY_JOURNAL_H_
