// Mover: gives connections to other workers at each turn's end, those that have come up in Service::movable.
//
// Which heir gets how many is the Heirs' (hand_over.h), whether a connection may go its own affair; whoever could not
// be given stays, and ends as without heirs.
#ifndef CORE_WORKER_MOVER_H_
#define CORE_WORKER_MOVER_H_

#include <cstdint>
#include <vector>

#include "core/base/fd.h"
#include "core/ring/ring.h"
#include "core/worker/connection_table.h"
#include "core/worker/hand_over.h"
#include "core/worker/service.h"

namespace uc::worker {

class Mover {
 public:
  // `room`: of the polls that tell of room in a full inbox; say so by OnRoom().
  Mover(Service& service, ConnectionTable& table, ring::Tag room)
      : service_(service), table_(table), room_(room), heirs_(service.app_options.protocol) {}

  // From now on all go, to these in turn, once they have begun to (Connection::BeginMove). None: nobody moves.
  void BeginLeaving(std::vector<Fd> heirs);
  // So many idle ones to each; who is not idle soon enough stays.
  void BeginGiving(std::vector<uint32_t> shares, std::vector<Fd> inboxes);

  // At each turn's end.
  void Move() {
    if (!service_.movable.empty()) GiveMovable();
  }
  void OnRoom() { room_armed_ = false; }
  // At each tick.
  void EndGivingInTime();

 private:
  void GiveMovable();
  // There is nobody (left) to give to: those that wanted to go stay, and end as without heirs.
  void Stop();

  Service& service_;
  ConnectionTable& table_;
  const ring::Tag room_;
  Heirs heirs_;
  bool room_armed_ = false;
  int64_t giving_until_ns_ = 0;
  std::vector<uint32_t> moving_now_;
  std::vector<int> moving_descriptors_;
};

}  // namespace uc::worker

#endif  // CORE_WORKER_MOVER_H_
