// NodeChannel: Node's own IPC channel, as child_process.fork() makes it: a stream of JSON lines on a UNIX socket
// whose number the child finds in NODE_CHANNEL_FD (lib/internal/child_process.js; Node 20). So a program's
// process.send() and process.on('message') work without a line of change.
#ifndef CORE_EXEC_NODE_CHANNEL_H_
#define CORE_EXEC_NODE_CHANNEL_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/base/fd.h"

namespace uc::exec {

class NodeChannel {
 public:
  static constexpr size_t kLineBytesMax = 64 * 1024;  // longer messages of the program are dropped

  // The channel and the child's end, which blocks not and is inherited as NODE_CHANNEL_FD.
  static absl::StatusOr<std::pair<NodeChannel, Fd>> Make();
  NodeChannel(NodeChannel&&) = default;
  NodeChannel& operator=(NodeChannel&&) = default;

  int fd() const { return fd_.get(); }
  // `message`: one JSON value, e.g. "\"shutdown\"". False: the program does not take it.
  bool Send(absl::string_view message);
  static constexpr int kPiecesMax = 32;  // of 4 KiB, heard at one time

  // When fd() is readable: the complete messages, each one JSON value. Empties `*open` at the channel's end.
  std::vector<std::string> Receive(bool* open);

 private:
  explicit NodeChannel(Fd fd) : fd_(std::move(fd)) {}
  Fd fd_;
  std::string begun_;
  bool dropping_ = false;
};

}  // namespace uc::exec

#endif  // CORE_EXEC_NODE_CHANNEL_H_
