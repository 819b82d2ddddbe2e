// QueueWatch: is this program silent while connections wait for it? From what can be seen without its help: the length
// of its accept queues and, with the preload library, whether it turns its loop. PURE.
//
// A slow program that goes on accepting is not silent. Two looks, for a connection may have come just now.
#ifndef CORE_EXEC_QUEUE_WATCH_H_
#define CORE_EXEC_QUEUE_WATCH_H_

#include <cstdint>

namespace uc::exec {

class QueueWatch {
 public:
  // `progress`: any number that grows when the program turns its loop or takes a connection.
  void Look(uint32_t waiting, uint64_t progress);
  // The same for a program whose turns nobody counts: a queue that shrinks is its progress.
  void Look(uint32_t waiting);
  // Once silent, silent until it moves: its queue may be empty because another one empties it.
  bool silent() const { return silent_; }

 private:
  uint64_t progress_ = 0;
  uint32_t waiting_ = 0;
  uint64_t shrinks_ = 0;
  bool pending_ = false;  // waited at the last look, and nothing has moved since
  bool silent_ = false;
};

}  // namespace uc::exec

#endif  // CORE_EXEC_QUEUE_WATCH_H_
