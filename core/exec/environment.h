// Environment: what a program is told about its place in the cluster, as environment variables: ours, those that PM2
// and systemd would set, and those of the operator, who has the last word.
#ifndef CORE_EXEC_ENVIRONMENT_H_
#define CORE_EXEC_ENVIRONMENT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace uc::exec {

struct ProgramPlace {
  std::string cluster;
  uint32_t slot = 0;
  uint32_t generation = 0;
  std::string notify_socket;  // where it may say READY=1
  // What the preload library needs; without it the program takes LISTEN_FDS.
  struct Preload {
    std::string library;  // path
    std::string door;     // ListenDoor's name
  };
  std::optional<Preload> preload;
  std::optional<uint16_t> port;          // of the cluster's first address
  std::vector<std::string> environment;  // "KEY=VALUE", from the operator
};

// "KEY=VALUE" each; a later one wins. Looks at our own environment for what must not be lost: LD_PRELOAD, and what the
// operator has said to libuv.
std::vector<std::string> EnvironmentOf(const ProgramPlace& place);

}  // namespace uc::exec

#endif  // CORE_EXEC_ENVIRONMENT_H_
