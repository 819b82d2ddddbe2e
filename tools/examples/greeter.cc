// An app in a shared object: greets by name. Build and start it:
//   g++ -std=c++20 -O2 -fPIC -shared -I. tools/examples/greeter.cc -o libgreeter.so
//   uring-cluster start ./libgreeter.so
//   curl 'http://127.0.0.1:8080/?Ada'
#include "core/app/app.h"

class Greeter : public uc::app::App {
 public:
  void Start(uc::app::Context& context) override {
    worker_ = "worker " + std::to_string(context.slot());
  }

  void Handle(uc::app::Exchange& exchange) override {
    const std::string_view query = exchange.request().query;
    const std::string name(query.empty() ? "stranger" : query);
    exchange.Send({.body = "Hello, " + name + ", from " + worker_ + ".\n"});
  }

 private:
  std::string worker_;
};

URING_CLUSTER_APP(Greeter)
