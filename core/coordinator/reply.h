// Reply: the way back to whoever gave a command through the control pipe with a ticket.
//
// Who gave it may withdraw it until it is taken. A lock on the FIFO decides (flock(2)): the coordinator takes a shared one
// when it takes the command and keeps it with the Reply; who withdraws takes an exclusive one first. So no command is
// carried out of which its asker has been told that it will not be. Refused: the end of the reader as the sign alone; it
// may come between our open(2) and our first line.
#ifndef CORE_COORDINATOR_REPLY_H_
#define CORE_COORDINATOR_REPLY_H_

#include <string>
#include <utility>

#include "absl/strings/string_view.h"
#include "core/base/fd.h"
#include "core/coordinator/descriptor_reserve.h"
#include "core/policy/action.h"

namespace uc::coordinator {

class Reply {
 public:
  // Opens the FIFO that the asker made and reads from, with a descriptor of the reserve if there is no other. An empty
  // Reply when nobody reads there, when the command was withdrawn, or when the path is no FIFO: its lines go nowhere.
  // Never blocks.
  static Reply Open(const std::string& path, DescriptorReserve& reserve);
  // One that was opened before this program took over.
  static Reply Continue(Fd fd) { return Reply(std::move(fd)); }
  Reply() = default;
  // -1: nobody listens.
  int fd() const { return fd_.get(); }
  bool open() const { return fd_.valid(); }

  // Said at once, so that the asker knows that somebody is there.
  void Accepted() { WriteLine("accepted", ""); }
  void Progress(absl::string_view text) { WriteLine("progress", text); }
  // The last line; then the pipe is closed.
  void End(policy::Outcome outcome, absl::string_view text);

 private:
  explicit Reply(Fd fd) : fd_(std::move(fd)) {}
  void WriteLine(absl::string_view kind, absl::string_view text);
  Fd fd_;
};

absl::string_view Name(policy::Outcome outcome);  // "done", "failed", "refused"

}  // namespace uc::coordinator

#endif  // CORE_COORDINATOR_REPLY_H_
