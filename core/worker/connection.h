// Connection: one accepted socket: its receive, its output, its deadline and its end. What the bytes mean
// is its heirs' affair (HttpConnection, TcpConnection).
//
//   kOpen ──FIN from us──> kLingering ──peer's FIN, error or linger time-out──> (gone)
//     └────────────────── error, reset ──────────────────────────────────────> (gone)
//
// Lingering reads and drops what still comes, so that the peer can read our last answer instead of
// getting a reset for bytes that nobody took (RFC 9112 9.6).
#ifndef CORE_WORKER_CONNECTION_H_
#define CORE_WORKER_CONNECTION_H_

#include <algorithm>
#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "core/base/fd.h"
#include "core/worker/deadlines.h"
#include "core/worker/held_bytes.h"
#include "core/worker/output.h"
#include "core/worker/service.h"

namespace uc::worker {

// Of the indices of connections that the worker has opened itself (outgoing.h).
inline constexpr uint32_t kOutgoingBit = 0x80000000;
constexpr bool IsOutgoing(uint32_t index) { return (index & kOutgoingBit) != 0; }

class Connection : public DeadlineNode {
 public:
  explicit Connection(Service& service) : service_(service) {}
  virtual ~Connection() = default;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // kHere: its first bytes are likely to be (TCP_DEFER_ACCEPT): read without asking the ring. kTakenOver: another worker
  // may have read some.
  enum class FirstBytes { kHere, kAwaited, kTakenOver };
  // A new tenant. `index` and `generation` name it in completions. What it does is counted in `counters`.
  void Open(Fd fd, uint32_t index, uint32_t generation, scoreboard::Counters& counters,
            FirstBytes first);
  bool open() const { return fd_.valid(); }
  bool lingering() const { return state_ == State::kLingering; }
  uint32_t index() const { return index_; }
  uint32_t generation() const { return generation_; }

  // Completions.
  void OnReceive(int32_t result, bool more, absl::string_view bytes);
  void OnWritable();
  // It has come up in the line of connections whose share of an earlier turn was used up.
  void OnTurn();
  // From the ready list: sends what was written outside of a receive, and goes on with held bytes.
  void OnScheduled();
  void OnDeadline(DeadlineKind kind);

  // Drain begins for this connection / its time is nearly over.
  virtual void BeginDrain(DrainStyle style) = 0;
  virtual void EndIdle() = 0;

  // Asks for OnScheduled() at the end of this turn.
  void Schedule();
  // Gone at once: no more callbacks, completions that still come are stale.
  void Abandon();
  // It may go when places are short: it is between two requests and the peer has everything, or the peer has
  // stopped reading.
  bool expendable() const;

  // --- Moving to another worker; see hand_over.h ---
  // Begins, if it may: its receive is taken back, then its index comes up in Service::movable. A request that
  // comes first is answered first.
  void BeginMove();
  // It came up in Service::movable and has not begun anything since.
  bool movable() const { return open() && moving_ && !receive_armed_ && MayMove(); }
  int descriptor() const { return fd_.get(); }
  // Another worker has it: our descriptor goes, the peer hears nothing.
  void GiveAway();
  // It stays.
  void EndMove();

 protected:
  virtual void OnOpened() = 0;
  // Bytes of the peer; held bytes come first (see Hold).
  virtual void OnBytes(absl::string_view bytes) = 0;
  // The peer has sent its FIN. The connection stays open for answers.
  virtual void OnEnd() = 0;
  // Comes first in a scheduled visit: what was done outside of a receive takes effect.
  virtual void Proceed() = 0;
  // Everything queued has been sent.
  virtual void OnSent() = 0;
  // May more bytes be taken now? If not, they are held and reading stops.
  virtual bool AcceptsBytes() = 0;
  // So many are held before reading stops.
  virtual size_t HeldBytesMax() const { return std::min(kHeldBytesMax, service_.output_share); }
  virtual void OnTimeout(DeadlineKind kind) = 0;
  // Which deadline fits the present state, when nothing is queued and we do not linger.
  virtual DeadlineKind Deadline() const = 0;
  // The peer has promised to send nothing more, and everything of it was read: nothing is lost by a close without
  // lingering.
  virtual bool PeerHasSaidAll() const { return false; }
  // How long it may take the peer to read what is queued.
  virtual DeadlineKind SendDeadline() const { return DeadlineKind::kSend; }
  // What the peer has sent before it stopped reading is still of use.
  virtual bool ReadsOnWhenWritingFails() const { return false; }
  // Between two requests: the descriptor is all that there is of it.
  virtual bool MayMove() const = 0;
  // The last call: the socket is gone.
  virtual void OnGone() = 0;

  // Keeps bytes for later: they come through OnBytes again when AcceptsBytes() is true.
  // No bytes can be held, too: whoever reads them wants to be asked again (a body may be complete).
  void Hold(absl::string_view bytes) {
    holding_ = true;
    // The rest of what was held stays where it is.
    if (advancing_ != nullptr && rest_ == 0 && held_.empty() && advancing_->EndsWith(bytes)) {
      rest_ = bytes.size();
    } else {
      held_.Append(bytes);
    }
  }
  bool holding() const { return holding_; }
  // True within OnBytes: what waits behind it is seen to at its end.
  bool receiving() const { return receiving_; }
  // What is left of the connection's share of this turn; 0: it goes on in a later turn.
  size_t Share() {
    if (in_line_) return 0;
    if (share_turn_ != service_.turn.number()) {
      share_turn_ = service_.turn.number();
      const bool light = share_ > 0 || light_unserved_;
      share_ = light ? service_.turn.LightShare() : service_.turn.Share();
      light_unserved_ = light && share_ == 0;
    }
    return share_;
  }
  void UseShare(size_t bytes) {
    share_ -= std::min(share_, bytes);
    service_.turn.Use(bytes);
  }
  // Nobody has a share of it any more. It is not this connection's fault alone.
  void EndTurn() {
    light_unserved_ |= share_ > 0;
    share_ = 0;
    service_.turn.End();
  }
  FirstBytes first_bytes() const { return first_bytes_; }
  bool peer_ended() const { return peer_ended_; }
  // Not by a FIN: what it has sent may not be all.
  bool peer_reset() const { return peer_reset_; }
  bool writing() const { return writable_armed_ || !output_.empty(); }
  // The socket takes nothing at present.
  bool writing_blocked() const { return writable_armed_; }
  // Our FIN, once the output is empty; then linger.
  void FinishWriting();
  // Our FIN, once the output is empty; the peer's bytes are still taken.
  void HalfClose() { half_closing_ = true; }
  bool finishing() const { return finishing_; }
  // True if bytes of the peer wait in the socket.
  bool InputWaits() const;
  // True if no byte of the peer has ever been read, by whatever process.
  bool NothingWasRead() const;
  std::string PeerText() const;

  scoreboard::Counters& counters() { return *counters_; }

  Service& service_;
  Output output_;
  Fd fd_;

 private:
  enum class State { kOpen, kLingering };
  static constexpr size_t kHeldBytesMax = 64 * 1024;

  void ReadAtOnce(size_t bytes_max);
  void Receive(absl::string_view bytes);
  // Through OnBytes, and out with the answers.
  void Take(absl::string_view bytes);
  void Advance();
  void Flush();
  // Lines up for a later turn if nothing else will make it go on.
  void AwaitTurn(Output::Result result);
  void CountFile();
  bool HeldEnough() const { return !held_.empty() && held_.size() >= HeldBytesMax(); }
  // There is enough to go on with when it comes up.
  bool WaitsInLine() const { return in_line_ && !held_.empty(); }
  void ArmReceive();
  enum class Progress { kNone, kSome };
  void UpdateDeadline(Progress progress);
  void Leave();
  void SendFin();
  // The socket goes; what was sent still arrives.
  void Close();
  ring::Tag TagOf(ring::Op op) const { return {op, generation_, index_}; }

  scoreboard::Counters* counters_ = nullptr;
  uint32_t index_ = 0;
  uint32_t generation_ = 0;
  uint32_t share_turn_ = 0;         // the turn that share_ is of
  size_t share_ = Turn::kShareMin;  // what is left of it; some: the connection is light
  State state_ = State::kOpen;
  FirstBytes first_bytes_ = FirstBytes::kAwaited;
  bool receive_armed_ = false;
  bool receive_cancelled_ = false;
  bool moving_ = false;
  bool writable_armed_ = false;
  bool peer_ended_ = false;
  bool peer_reset_ = false;
  bool finishing_ = false;
  bool half_closing_ = false;
  bool scheduled_ = false;
  bool receiving_ = false;
  bool holding_ = false;
  bool in_line_ = false;
  bool light_unserved_ = false;  // it was light, and has found no share since
  bool file_counted_ = false;
  HeldBytes held_;
  const HeldBytes* advancing_ = nullptr;  // what was held, while it is taken
  size_t rest_ = 0;                       // of it, held again
};

}  // namespace uc::worker

#endif  // CORE_WORKER_CONNECTION_H_
