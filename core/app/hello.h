// Hello: the smallest possible app; what it costs is what the worker itself costs.
//
// GET and HEAD of any path get one fixed line; other methods 405. A body that comes along is dropped as
// it arrives (BodyMode::kStreamed without OnBody), never gathered.
#ifndef CORE_APP_HELLO_H_
#define CORE_APP_HELLO_H_

#include "core/app/app.h"

namespace uc::app {

class Hello final : public App {
 public:
  Options options() const override { return {.body_mode = BodyMode::kStreamed}; }
  void Handle(Exchange& exchange) override;
};

}  // namespace uc::app

#endif  // CORE_APP_HELLO_H_
