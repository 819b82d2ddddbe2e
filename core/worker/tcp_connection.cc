#include "core/worker/tcp_connection.h"

#include <exception>

#include "absl/strings/str_cat.h"
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/scoreboard/scoreboard.h"

namespace uc::worker {

template <typename Callback>
void TcpConnection::Guarded(const Callback& callback) {
  try {
    callback();
    return;
  } catch (const std::exception& error) {
    LogWarning(absl::StrCat("the app threw on a TCP connection, which ends: ", error.what()));
  } catch (...) {
    LogWarning("the app threw on a TCP connection, which ends");
  }
  Abandon();
}

void TcpConnection::OnOpened() {
  paused_ = wants_writable_ = end_told_ = overflown_ = false;
  user = nullptr;
  told_open_ = true;
  Guarded([&] { service_.app.OnOpen(*this); });
}

void TcpConnection::OnBytes(absl::string_view bytes) {
  scoreboard::Add(counters().requests, 1);
  Guarded([&] { service_.app.OnBytes(*this, std::string_view(bytes.data(), bytes.size())); });
  // Many slow callbacks of one turn are work, not a hang.
  service_.row.heartbeat_ns.store(MonotonicNanos(), std::memory_order_relaxed);
}

void TcpConnection::OnEnd() {
  if (end_told_) return;
  end_told_ = true;
  Guarded([&] { service_.app.OnEnd(*this); });
}

void TcpConnection::OnSent() {
  if (!wants_writable_ || finishing()) return;
  wants_writable_ = false;
  Guarded([&] { service_.app.OnWritable(*this); });
}

void TcpConnection::OnGone() {
  if (!told_open_) return;
  told_open_ = false;
  try {
    service_.app.OnClose(*this);
  } catch (...) {
    LogWarning("the app threw at the end of a TCP connection");
  }
}

bool TcpConnection::Write(std::string_view bytes) {
  if (!open() || finishing() || lingering() || overflown_) return false;
  if (output_.memory_bytes() > kUnheededBytes * service_.options.output_bytes_max) {
    LogWarning("the app does not heed Write() == false on a TCP connection, which ends");
    overflown_ = true;
    Schedule();
    return false;
  }
  output_.tail().append(bytes);
  Schedule();
  const bool full = output_.memory_bytes() >= service_.output_share;
  wants_writable_ = wants_writable_ || full;
  return !full;
}

void TcpConnection::Close() {
  if (!open() || lingering()) return;
  FinishWriting();
  Schedule();
}

void TcpConnection::Resume() {
  paused_ = false;
  Schedule();
}

void TcpConnection::BeginDrain(DrainStyle style) {
  if (style == DrainStyle::kPrompt) Close();
}

}  // namespace uc::worker
