// Echo: raw TCP; every byte comes back, in order.
//
// A peer that does not read is not read from (Write says false -> Pause, OnWritable -> Resume), so its
// queue is bounded by the worker's output bound. The peer's FIN closes our side after the last queued
// byte (App::OnEnd's default), so `nc -N` and half-closing clients get everything back.
#ifndef CORE_APP_ECHO_H_
#define CORE_APP_ECHO_H_

#include <string_view>

#include "core/app/app.h"

namespace uc::app {

class Echo final : public App {
 public:
  Options options() const override { return {.protocol = Protocol::kTcp}; }
  void OnBytes(Stream& stream, std::string_view bytes) override {
    if (!stream.Write(bytes)) stream.Pause();
  }
  void OnWritable(Stream& stream) override { stream.Resume(); }
};

}  // namespace uc::app

#endif  // CORE_APP_ECHO_H_
