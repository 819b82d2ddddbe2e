// ConnectionTable: the places of all connections of a worker. A place is used again and again, its
// generation tells the tenants apart: completions for a former one are stale.
#ifndef CORE_WORKER_CONNECTION_TABLE_H_
#define CORE_WORKER_CONNECTION_TABLE_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "core/base/check.h"
#include "core/ring/tag.h"
#include "core/worker/connection.h"

namespace uc::worker {

class ConnectionTable {
 public:
  // `make` builds a connection for a place that is used for the first time.
  template <typename Make>
  uint32_t Take(const Make& make) {
    if (free_.empty()) {
      free_.push_back(static_cast<uint32_t>(places_.size()));
      places_.push_back({make(), 0});
    }
    const uint32_t index = free_.back();
    free_.pop_back();
    ++open_;
    return index;
  }

  void Free(uint32_t index) {
    Place& place = places_[index];
    UC_CHECK(open_ > 0 && !place.connection->open());
    place.generation = (place.generation + 1) & ring::kGenerationMask;
    free_.push_back(index);
    --open_;
  }

  Connection& at(uint32_t index) { return *places_[index].connection; }
  uint32_t generation(uint32_t index) const { return places_[index].generation; }
  // The present tenant that a completion is for, or nullptr: it is stale.
  Connection* Find(uint32_t index, uint32_t generation) {
    if (index >= places_.size() || places_[index].generation != generation) return nullptr;
    Connection* connection = places_[index].connection.get();
    return connection->open() ? connection : nullptr;
  }

  uint32_t open() const { return open_; }
  uint32_t places() const { return static_cast<uint32_t>(places_.size()); }

 private:
  struct Place {
    std::unique_ptr<Connection> connection;
    uint32_t generation = 0;
  };
  std::vector<Place> places_;
  std::vector<uint32_t> free_;
  uint32_t open_ = 0;
};

}  // namespace uc::worker

#endif  // CORE_WORKER_CONNECTION_TABLE_H_
