// Apps that the worker's tests put on the stage: each path is one way in which an app may behave.
#ifndef TESTS_WORKER_TEST_APPS_H_
#define TESTS_WORKER_TEST_APPS_H_

#include <cstdint>
#include <string>

#include "core/app/app.h"

namespace uc::worker {

// Takes bodies whole (at most 1,000,000 bytes). Paths:
//   /hello          "hello"                      /echo     the request's body
//   /size?N         N bytes by value             /stream?N N bytes in pieces, chunked
//   /known?N        N bytes in pieces, announced /short    announces 10, writes 3, ends
//   /file?F,OFF,LEN bytes of a file              /throw /throw-late   before / after Begin
//   /silent         returns without an answer    /never    deferred for good
//   /defer?MS       "late" after MS              /post     "posted" by another thread
//   /flood?N        writes N MiB without asking whether anybody reads
// Notes: "start", "drain", "stop"; "abort" when a client leaves /never, /defer or /stream;
// "found" / "gone" for the answer of /defer.
class Actor : public app::App {
 public:
  app::Options options() const override { return {.body_bytes_max = 1'000'000}; }
  void Start(app::Context& context) override;
  void Drain(app::Context& context) override;
  void Stop(app::Context& context) override;
  void Handle(app::Exchange& exchange) override;

 private:
  void Stream(app::Exchange& exchange, uint64_t size, bool announced);
  void SendFile(app::Exchange& exchange, const std::string& words);
  void Defer(app::Exchange& exchange, uint64_t milliseconds);
  void Throw(app::Exchange& exchange, bool late);
  app::Context* context_ = nullptr;
};

// Takes bodies in pieces (at most 64 MiB). Paths:
//   /count    the number of bytes              /pause  the same; stops reading until /resume comes
//   /early    answers before the body          /unread answers after the head, later: by Defer
//   /throw    throws at the first piece        /rebind replaces its own callback while it runs
//   /mute     takes the body and never answers /short  breaks a promise from within the callback
class Taker : public app::App {
 public:
  app::Options options() const override {
    return {.body_mode = app::BodyMode::kStreamed, .body_bytes_max = 64 << 20};
  }
  void Start(app::Context& context) override { context_ = &context; }
  void Handle(app::Exchange& exchange) override;

 private:
  app::Context* context_ = nullptr;
  app::ExchangeId paused_ = 0;
};

// Raw TCP. Says "welcome\n"; "bye" closes, "throw" throws, all else comes back.
// Notes "open", "end", "close".
class Talker : public app::App {
 public:
  app::Options options() const override { return {.protocol = app::Protocol::kTcp}; }
  void OnOpen(app::Stream& stream) override;
  void OnBytes(app::Stream& stream, std::string_view bytes) override;
  void OnEnd(app::Stream& stream) override;
  void OnClose(app::Stream& stream) override;
};

// Raw TCP: writes for ever, as fast as it may.
class Fountain : public app::App {
 public:
  app::Options options() const override { return {.protocol = app::Protocol::kTcp}; }
  void OnOpen(app::Stream& stream) override { OnWritable(stream); }
  void OnWritable(app::Stream& stream) override;
  void OnClose(app::Stream& stream) override;
};

}  // namespace uc::worker

#endif  // TESTS_WORKER_TEST_APPS_H_
