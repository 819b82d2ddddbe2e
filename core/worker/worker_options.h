// WorkerOptions: what is fixed for all workers of a cluster; filled from the command line by main.
#ifndef CORE_WORKER_WORKER_OPTIONS_H_
#define CORE_WORKER_WORKER_OPTIONS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "core/app/path.h"
#include "core/base/identity.h"
#include "core/http/parser.h"
#include "core/net/address.h"
#include "core/net/networks.h"

namespace uc::worker {

// What clients of a worker before a server are taken to speak.
enum class ClientProtocol {
  kAuto,  // HTTP/1, or as their first bytes say: all else is tunnelled
  kHttp,  // HTTP/1 alone
  kTcp,   // anything: all of it is tunnelled
};

struct WorkerOptions {
  std::string app;  // "hello", "echo", "static", "proxy", "./libmyapp.so"
  std::vector<std::string>
      app_arguments;  // "static" + DIR; "proxy" + ADDR; for a shared object: what stood after it
  app::Dotfiles dotfiles = app::Dotfiles::kHidden;  // of "static"
  std::optional<Identity>
      identity;  // what it becomes before the app is loaded; nullopt: as the coordinator
  ExecGives exec_gives = ExecGives::kNothing;  // to what it starts then
  std::vector<net::Address> addresses;         // none: a program behind the worker says where
  int backlog = 4096;

  // Deadlines of a connection.
  absl::Duration header_timeout =
      absl::Seconds(10);                            // from a head's first byte to its end; then 408
  absl::Duration body_timeout = absl::Seconds(30);  // between two pieces of a body; then 408
  absl::Duration idle_timeout = absl::Seconds(75);  // keep-alive, between requests; then FIN
  absl::Duration request_timeout =
      absl::Seconds(60);  // until a deferred response is complete; then 504
  absl::Duration send_timeout = absl::Seconds(30);   // without any progress of a peer that reads
  absl::Duration linger_timeout = absl::Seconds(2);  // after our FIN, waiting for the peer's

  // Before a server or program (front, proxy).
  ClientProtocol client_protocol = ClientProtocol::kAuto;
  net::Networks trusted_proxies;  // what they say of their clients is kept
  absl::Duration first_byte_timeout =
      absl::Seconds(1);  // for bytes that tell a client's protocol; then the server may speak first
  absl::Duration continue_timeout =
      absl::Seconds(1);  // for its 100 Continue; then the body is asked for without it
  uint32_t in_flight_max =
      0;  // requests that the server behind a front has at one time; 0: any number
  uint32_t connections_max = 0;  // 0: what RLIMIT_NOFILE allows, less a reserve
  http::ParserLimits parser;
  size_t body_memory = 256 << 20;        // of the bodies that are held whole, all together
  size_t output_bytes_max = 256 * 1024;  // queued per connection before Write() says false
  size_t output_memory = 64 << 20;       // of all connections together: see output_share.h
  bool cpu_affinity = false;             // pinned to its slot's core
  absl::Duration heartbeat_period = absl::Milliseconds(500);
};

}  // namespace uc::worker

#endif  // CORE_WORKER_WORKER_OPTIONS_H_
