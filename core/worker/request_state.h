// RequestState: what a connection needs while a request of it is under way, and only then.
//
// A worker has far more connections than requests under way: an idle connection owns none of this. The pool
// gives back the one that was used last, so that the requests of a turn work on the same few cache lines, and
// the parser meets the field lines that it has just read. No allocation in steady state.
#ifndef CORE_WORKER_REQUEST_STATE_H_
#define CORE_WORKER_REQUEST_STATE_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/app/app.h"
#include "core/http/parser.h"
#include "core/worker/body_memory.h"
#include "core/worker/relay.h"

namespace uc::worker {

struct RequestState {
  explicit RequestState(const http::ParserLimits& limits) : parser(limits) {}

  // For the next request. What the callbacks hold goes now.
  void Clear() {
    on_body = nullptr;
    on_writable = nullptr;
    abort = nullptr;
    peer = nullptr;
    first.clear();
    if (headers.capacity() > kHeadersKept) std::vector<app::Header>().swap(headers);
    DropBody();
  }
  void DropBody() {
    if (body.capacity() > kBodyBytesKept) {
      std::string().swap(body);
    } else {
      body.clear();
    }
  }

  http::RequestParser parser;
  app::Request request;
  std::vector<app::Header> headers;
  std::string body;
  BodyClaim claim;          // of the memory for `body`
  uint64_t body_bytes = 0;  // received of the present body
  uint64_t promised = 0;    // of a streamed response with a length: bytes still to come
  std::function<void(app::Exchange&, std::string_view, bool)> on_body;
  std::function<void(app::Exchange&)> on_writable;
  std::function<void()> abort;
  RelayPeer* peer = nullptr;  // of an exchange that is passed through
  std::string first;          // what came and does not tell the protocol yet

 private:
  static constexpr size_t kBodyBytesKept = 64 * 1024;
  static constexpr size_t kHeadersKept = 64;
};

class RequestStates {
 public:
  explicit RequestStates(const http::ParserLimits& limits) : limits_(limits) {}
  RequestStates(const RequestStates&) = delete;
  RequestStates& operator=(const RequestStates&) = delete;

  std::unique_ptr<RequestState> Take() {
    if (free_.empty()) return std::make_unique<RequestState>(limits_);
    std::unique_ptr<RequestState> state = std::move(free_.back());
    free_.pop_back();
    return state;
  }
  void Give(std::unique_ptr<RequestState> state) {
    if (free_.size() >= kFreeMax) return;
    state->Clear();
    state->parser.Reset();
    free_.push_back(std::move(state));
  }

 private:
  static constexpr size_t kFreeMax = 256;

  const http::ParserLimits limits_;
  std::vector<std::unique_ptr<RequestState>> free_;
};

}  // namespace uc::worker

#endif  // CORE_WORKER_REQUEST_STATE_H_
