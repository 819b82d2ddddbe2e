// TcpConnection: bytes in, bytes out, for apps that speak their own protocol (Protocol::kTcp).
#ifndef CORE_WORKER_TCP_CONNECTION_H_
#define CORE_WORKER_TCP_CONNECTION_H_

#include <string>
#include <string_view>

#include "core/app/app.h"
#include "core/worker/connection.h"

namespace uc::worker {

class TcpConnection final : public Connection, public app::Stream {
 public:
  explicit TcpConnection(Service& service) : Connection(service) {}

  // app::Stream
  bool Write(std::string_view bytes) override;
  void Close() override;
  void Pause() override { paused_ = true; }
  void Resume() override;
  std::string peer() const override { return PeerText(); }

  // Connection
  void BeginDrain(DrainStyle style) override;
  void EndIdle() override { Close(); }

 private:
  void OnOpened() override;
  void OnBytes(absl::string_view bytes) override;
  void OnEnd() override;
  void Proceed() override {
    if (overflown_) Abandon();
  }
  void OnSent() override;
  bool AcceptsBytes() override { return !paused_; }
  void OnTimeout(DeadlineKind) override {}
  // An app's own protocol may be silent for as long as it likes.
  DeadlineKind Deadline() const override { return DeadlineKind::kNone; }
  // What it is in the middle of, only the app knows.
  bool MayMove() const override { return false; }
  void OnGone() override;

  template <typename Callback>
  void Guarded(const Callback& callback);

  bool paused_ = false;
  bool wants_writable_ = false;
  bool end_told_ = false;
  bool overflown_ = false;  // the app goes on writing though nobody reads
  bool told_open_ = false;
};

}  // namespace uc::worker

#endif  // CORE_WORKER_TCP_CONNECTION_H_
