// Service: what a connection needs of its worker. One thread; no locks.
#ifndef CORE_WORKER_SERVICE_H_
#define CORE_WORKER_SERVICE_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "core/app/app.h"
#include "core/base/fd.h"
#include "core/http/writer.h"
#include "core/ring/ring.h"
#include "core/scoreboard/layout.h"
#include "core/worker/body_memory.h"
#include "core/worker/deadlines.h"
#include "core/worker/request_state.h"
#include "core/worker/turn.h"
#include "core/worker/worker_options.h"

namespace uc::worker {

class Connection;
class Gateway;

// An app that goes on writing after Write() has said false loses its connection at so many times
// output_bytes_max.
inline constexpr size_t kUnheededBytes = 64;

enum class DrainStyle {
  kOneMore,  // idle connections may send one more request
  kPrompt,   // idle connections end now
};

// Of a gateway, the requests' parser lets more pass.
inline http::ParserLimits LimitsFor(http::ParserLimits limits, const Gateway* gateway) {
  if (gateway == nullptr) return limits;
  limits.connect = http::Connect::kAllowed;
  limits.trailers = http::Trailers::kKept;
  return limits;
}

// A probe of ours is a request.
inline bool CanBeProbed(const app::Options& app, const WorkerOptions& options) {
  return app.protocol == app::Protocol::kHttp && options.client_protocol != ClientProtocol::kTcp;
}

struct Service {
  ring::Ring& ring;
  Deadlines& deadlines;
  app::App& app;
  const app::Options app_options;
  const WorkerOptions& options;
  scoreboard::Report& row;
  Gateway* const gateway = nullptr;  // the app, if it is one

  int64_t now_ns = 0;      // of this turn
  absl::string_view date;  // of this second
  bool draining = false;
  bool moving = false;         // connections go to other workers (hand_over.h)
  uint32_t moves_left = 0;     // so many may still begin to; UINT32_MAX: all
  uint32_t files_open = 0;     // that connections are sending, a descriptor each
  uint32_t last_exchange = 0;  // serial number of exchanges
  uint32_t in_flight = 0;      // exchanges begun and not answered
  size_t output_share = options.output_bytes_max;  // of each connection, at present
  Turn turn;
  std::string scratch;  // output of one turn, lent to one connection at a time
  RequestStates request_states{LimitsFor(options.parser, gateway)};
  http::HeadWriter heads;
  BodyMemory bodies{options.body_memory};

  // Connections that wrote, or can go on, outside of a receive; visited at the end of the turn.
  std::vector<Connection*> scheduled;
  // Connections that can be handed over now: nothing of them is in the ring or in our memory.
  std::vector<uint32_t> movable;
  // Descriptors to be closed after the next submission: a queued operation may still name them.
  std::vector<Fd> closing;
  // Called by a connection as its last deed: its place is free again.
  std::vector<uint32_t> departed;
  std::vector<uint32_t> outgoing_departed;  // the same of those that the worker has opened itself
  // What a connection brings along when it is accepted; no longer than the call. Last: what stands before it is used in
  // every turn and lies close together.
  std::array<char, 16 * 1024> first_bytes;
};

}  // namespace uc::worker

#endif  // CORE_WORKER_SERVICE_H_
