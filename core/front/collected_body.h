// CollectedBody: the body of a request that the server is not asked for before it is whole.
//
// A server of few threads or processes has one of them busy with a request from its first byte on: some clients that
// send slowly would be enough to stop it. So a small body is waited for here. Larger ones, those whose length is not
// known, and those that are sent only if the server wants them (Expect) pass as they come.
#ifndef CORE_FRONT_COLLECTED_BODY_H_
#define CORE_FRONT_COLLECTED_BODY_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "core/http/message.h"
#include "core/worker/relay.h"

namespace uc::front {

class CollectedBody final : public worker::RelayPeer {
 public:
  static constexpr uint64_t kBytesMax = 64 * 1024;
  // `share`: what a connection may keep in memory at present.
  static bool IsFor(const http::RequestHead& head, size_t share) {
    const uint64_t length = head.content_length.value_or(0);
    return length > 0 && length <= std::min<uint64_t>(kBytesMax, share) && !head.expects_continue;
  }

  // `whole` gets the body; `gone` is told that there will be none. Either one is the last call, and may destroy this.
  using Whole = std::function<void(std::string)>;
  using Gone = std::function<void()>;
  CollectedBody(Whole whole, Gone gone) : whole_(std::move(whole)), gone_(std::move(gone)) {}

  void OnClientBytes(std::string_view piece, bool last) override {
    bytes_.append(piece);
    if (!last) return;
    const Whole whole = std::move(whole_);
    whole(std::move(bytes_));
  }
  void OnClientRoom() override {}
  void OnClientGone() override {
    const Gone gone = std::move(gone_);
    gone();
  }

 private:
  Whole whole_;
  Gone gone_;
  std::string bytes_;
};

}  // namespace uc::front

#endif  // CORE_FRONT_COLLECTED_BODY_H_
