#include "core/worker/connection.h"

#include <errno.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <utility>

#include "core/net/listener.h"
#include "core/scoreboard/scoreboard.h"

namespace uc::worker {
namespace {

constexpr size_t kTailBytesKept = 4 * 1024;  // per connection, between turns
// When others have used the ring's receive buffers up: as much is read without one. Whoever only armed its receive again
// would do so behind them, turn after turn, until each of a thousand had been read as far as it may be.
constexpr size_t kUnbufferedBytes = 4 * 1024;
constexpr int kFlushesMax = 16;  // of an app that writes whenever it may

}  // namespace

[[gnu::hot]] void Connection::Open(Fd fd, uint32_t index, uint32_t generation,
                                   scoreboard::Counters& counters, FirstBytes first) {
  fd_ = std::move(fd);
  counters_ = &counters;
  index_ = index;
  generation_ = generation;
  first_bytes_ = first;
  state_ = State::kOpen;
  receive_armed_ = receive_cancelled_ = writable_armed_ = moving_ = false;
  peer_ended_ = peer_reset_ = finishing_ = half_closing_ = holding_ = in_line_ = false;
  share_ = Turn::kShareMin;
  light_unserved_ = false;
  OnOpened();
  if (!open()) return;
  if (first == FirstBytes::kHere) {
    ReadAtOnce(service_.first_bytes.size());
    return;
  }
  ArmReceive();
  Flush();
}

// Who asks once and leaves is answered and gone without an operation in the ring.
[[gnu::hot]] void Connection::ReadAtOnce(size_t bytes_max) {
  const ssize_t size = recv(fd_.get(), service_.first_bytes.data(),
                            std::min(bytes_max, service_.first_bytes.size()), MSG_DONTWAIT);
  if (size >= 0) {
    OnReceive(static_cast<int32_t>(size), false,
              {service_.first_bytes.data(), static_cast<size_t>(size)});
    return;
  }
  ArmReceive();  // which brings an error, too
  Flush();
}

[[gnu::hot]] void Connection::OnReceive(int32_t result, bool more, absl::string_view bytes) {
  receive_armed_ = more;
  if (!more) receive_cancelled_ = false;
  if (result > 0) {
    scoreboard::Add(counters().bytes_in, static_cast<uint64_t>(result));
    if (!lingering()) Receive(bytes);
  } else if (result == 0) {
    peer_ended_ = true;
    if (lingering()) {
      Abandon();
    } else if (!holding()) {
      OnEnd();
      Flush();
    }
  } else if (result != -ECANCELED && result != -ENOBUFS && result != -EINTR && result != -EAGAIN) {
    // Reset by the peer, or timed out.
    if (holding() && ReadsOnWhenWritingFails()) {
      peer_ended_ = peer_reset_ = true;  // what came before is taken first
    } else {
      Abandon();
    }
  }
  if (!open()) return;
  if (result == -ENOBUFS && !receive_armed_ && !moving_ && !peer_ended_ && !HeldEnough() &&
      !WaitsInLine()) {
    ReadAtOnce(kUnbufferedBytes);
    return;
  }
  if (moving_ && !receive_armed_ && !MayMove()) EndMove();
  if (moving_ && !receive_armed_) service_.movable.push_back(index_);
  ArmReceive();
}

[[gnu::hot]] void Connection::Receive(absl::string_view bytes) {
  if (holding() || !AcceptsBytes()) {
    Hold(bytes);
    Advance();
    return;
  }
  Take(bytes);
  if (open() && holding() && Share() > 0) Schedule();
}

[[gnu::hot]] void Connection::Take(absl::string_view bytes) {
  const bool borrowed = output_.empty();
  if (borrowed) output_.SwapTail(service_.scratch);
  receiving_ = true;
  OnBytes(bytes);
  receiving_ = false;
  Flush();
  if (borrowed && output_.empty()) output_.SwapTail(service_.scratch);
}

// Goes on with what was held, as far as it is welcome now.
void Connection::Advance() {
  while (open() && !lingering() && holding() && AcceptsBytes()) {
    HeldBytes held = std::exchange(held_, HeldBytes());
    const size_t size = held.size();
    holding_ = false;
    advancing_ = &held;
    Take(held.view());
    advancing_ = nullptr;
    if (const size_t rest = std::exchange(rest_, 0); rest > 0 && holding_) {
      held.KeepLast(rest);
      held.Append(held_.view());
      held_ = std::move(held);
    }
    if (held_.size() == size) break;
  }
  if (open() && peer_ended_ && !lingering() && !holding()) OnEnd();
  Flush();
}

void Connection::OnWritable() {
  writable_armed_ = false;
  Flush();
  if (open()) Advance();
  if (!open()) return;
  if (output_.empty()) output_.Release();
  ArmReceive();  // reading may have stopped for want of room
}

void Connection::OnTurn() {
  if (!std::exchange(in_line_, false) || !open()) return;
  share_turn_ = service_.turn.number();
  share_ = service_.turn.Share();
  light_unserved_ = false;
  Flush();
  if (open()) Advance();
  if (!open()) return;
  if (output_.empty()) output_.Release();
  ArmReceive();
}

void Connection::Schedule() {
  if (scheduled_) return;
  scheduled_ = true;
  service_.scheduled.push_back(this);
}

void Connection::OnScheduled() {
  scheduled_ = false;
  if (!open()) return;
  Proceed();
  Advance();
  if (open()) ArmReceive();
}

[[gnu::hot]] void Connection::Flush() {
  uint64_t sent = 0;
  Output::Result result = Output::Result::kEmpty;
  for (int flushes = 0; open(); ++flushes) {
    uint64_t now_sent = 0;
    result = output_.Flush(fd_.get(), Share(), &now_sent);
    UseShare(static_cast<size_t>(now_sent));
    sent += now_sent;
    if (result != Output::Result::kEmpty) break;
    OnSent();
    if (output_.empty()) break;
    if (flushes == kFlushesMax) {
      result = Output::Result::kYield;
      break;
    }
  }
  if (sent > 0) scoreboard::Add(counters().bytes_out, sent);
  if (!open()) return;
  switch (result) {
    case Output::Result::kEmpty:
      if (finishing_) {
        SendFin();
        if (!open()) return;
      } else if (std::exchange(half_closing_, false)) {
        shutdown(fd_.get(), SHUT_WR);
      }
      break;
    case Output::Result::kYield:
      break;
    case Output::Result::kBlocked:
      if (!writable_armed_) {
        writable_armed_ = true;
        service_.ring.PollOnce(fd_.get(), POLLOUT, TagOf(ring::Op::kWritable));
      }
      break;
    case Output::Result::kBroken:
      if (!ReadsOnWhenWritingFails() || finishing_) {
        Abandon();
        return;
      }
      output_.Clear();
      half_closing_ = false;
      break;
  }
  CountFile();
  AwaitTurn(result);
  UpdateDeadline(sent > 0 ? Progress::kSome : Progress::kNone);
  if (service_.moving) BeginMove();
}

[[gnu::hot]] void Connection::AwaitTurn(Output::Result result) {
  const bool goes_on = result == Output::Result::kYield || (holding() && Share() == 0);
  if (!goes_on || in_line_ || writable_armed_) return;
  in_line_ = true;
  light_unserved_ ? service_.turn.LineFirst(this) : service_.turn.Line(this);
}

[[gnu::hot]] void Connection::CountFile() {
  const bool has_file = output_.segments() > 0;
  if (has_file == file_counted_) return;
  file_counted_ = has_file;
  if (has_file) {
    ++service_.files_open;
  } else {
    --service_.files_open;
  }
}

[[gnu::hot]] void Connection::ArmReceive() {
  if (receive_armed_) {
    if (HeldEnough() && !receive_cancelled_) {
      receive_cancelled_ = true;
      service_.ring.Cancel(TagOf(ring::Op::kReceive));
    }
    return;
  }
  if (peer_ended_ || moving_ || HeldEnough() || WaitsInLine()) return;
  receive_armed_ = true;
  service_.ring.ReceiveMultishot(fd_.get(), TagOf(ring::Op::kReceive));
}

[[gnu::hot]] void Connection::UpdateDeadline(Progress progress) {
  const DeadlineKind next = lingering()        ? DeadlineKind::kLinger
                            : !output_.empty() ? SendDeadline()
                                               : Deadline();
  // These count from their beginning, not from the last byte.
  const bool from_start = next == DeadlineKind::kHeader || next == DeadlineKind::kLinger ||
                          next == DeadlineKind::kRequest || next == DeadlineKind::kRoom ||
                          next == DeadlineKind::kFirst || next == DeadlineKind::kContinue ||
                          (next == DeadlineKind::kSend && progress == Progress::kNone);
  if (from_start && kind == next) return;
  service_.deadlines.Set(*this, next, service_.now_ns);
}

void Connection::BeginMove() {
  if (moving_ || !service_.moving || service_.moves_left == 0 || !open() || lingering() ||
      !MayMove())
    return;
  if (service_.moves_left != UINT32_MAX) --service_.moves_left;
  moving_ = true;
  if (receive_armed_) {
    service_.ring.Cancel(TagOf(ring::Op::kReceive));
  } else {
    service_.movable.push_back(index_);
  }
}

[[gnu::cold]] void Connection::EndMove() {
  if (!moving_) return;
  moving_ = false;
  if (service_.moving && service_.moves_left != UINT32_MAX) ++service_.moves_left;
  if (open()) ArmReceive();
}

void Connection::GiveAway() {
  service_.closing.push_back(std::move(fd_));
  scoreboard::Add(counters().handed_over, 1);
  Leave();
}

void Connection::OnDeadline(DeadlineKind kind) {
  if (!open()) return;
  if (kind == DeadlineKind::kLinger || kind == DeadlineKind::kSend) {
    Abandon();
    return;
  }
  OnTimeout(kind);
  Flush();
}

void Connection::FinishWriting() { finishing_ = true; }

void Connection::SendFin() {
  finishing_ = false;
  moving_ = false;
  state_ = State::kLingering;
  const bool nothing_comes = peer_ended_ || PeerHasSaidAll();
  holding_ = false;
  held_.Clear();
  if (nothing_comes) {
    // What is armed in the ring holds the socket: its end has to be said.
    receive_armed_ || writable_armed_ ? Abandon() : Close();
    return;
  }
  shutdown(fd_.get(), SHUT_WR);
  ArmReceive();
}

bool Connection::InputWaits() const {
  char byte;
  return holding() || recv(fd_.get(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

bool Connection::NothingWasRead() const {
  tcp_info info = {};
  socklen_t size = sizeof(info);
  int unread = 0;
  return getsockopt(fd_.get(), IPPROTO_TCP, TCP_INFO, &info, &size) == 0 &&
         ioctl(fd_.get(), SIOCINQ, &unread) == 0 &&
         info.tcpi_bytes_received <= static_cast<uint64_t>(unread);
}

bool Connection::expendable() const {
  if (!open() || lingering() || finishing() || moving_) return false;
  if (kind == DeadlineKind::kSend) return writable_armed_;
  int unread = 0;  // by the peer's kernel
  return kind == DeadlineKind::kIdle && !InputWaits() && ioctl(fd_.get(), SIOCOUTQ, &unread) == 0 &&
         unread == 0;
}

std::string Connection::PeerText() const {
  const auto peer = net::PeerAddress(fd_.get());
  return peer.ok() ? peer->ToString() : "";
}

[[gnu::hot]] void Connection::Abandon() {
  if (!open()) return;
  // A peer that has said its FIN learns the rest from the close.
  if (!peer_ended_) shutdown(fd_.get(), SHUT_RDWR);
  Close();
}

[[gnu::hot]] void Connection::Close() {
  if (receive_armed_ || writable_armed_) {
    if (receive_armed_) service_.ring.Cancel(TagOf(ring::Op::kReceive));
    if (writable_armed_) service_.ring.Cancel(TagOf(ring::Op::kWritable));
    service_.closing.push_back(
        std::move(fd_));  // it is named by what is queued until that is submitted
  } else {
    fd_.Reset();
  }
  scoreboard::Add(counters().closed, 1);
  Leave();
}

[[gnu::hot]] void Connection::Leave() {
  moving_ = false;
  service_.deadlines.Set(*this, DeadlineKind::kNone, service_.now_ns);
  output_.Clear();
  CountFile();
  if (output_.tail().capacity() > kTailBytesKept && service_.scratch.capacity() > 0) {
    std::string().swap(output_.tail());
  }
  holding_ = false;
  held_ = HeldBytes();
  OnGone();
  (IsOutgoing(index_) ? service_.outgoing_departed : service_.departed).push_back(index_);
}

}  // namespace uc::worker
