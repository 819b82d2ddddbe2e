// Environment: what a program finds in its environment. In this order, the later one wins: what it inherits, what PM2
// would say about its place, what the operator gives it (--env, a config file's env), and what it must be told by us.
//
// With --user nothing of root's environment is inherited but what says where and in which language it runs. LD_PRELOAD
// is joined, not replaced: our library first, then the operator's, then the inherited ones. What is of ours and the
// operator gives all the same is not passed on (OverruledIn).
#ifndef CORE_EXEC_ENVIRONMENT_H_
#define CORE_EXEC_ENVIRONMENT_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/exec/launch_options.h"

namespace uc::exec {

struct ProgramPlace {
  std::string cluster;
  uint32_t slot = 0;
  uint32_t generation = 0;
  std::string worker;         // link::WorkerMark; empty: nobody looks for what it starts
  std::string notify_socket;  // where it may say READY=1
  std::map<std::string, std::string>
      words;  // what stands for them in `environment` and in its arguments
  // What the preload library needs; without it the program takes LISTEN_FDS.
  struct Preload {
    std::string library;  // path
    std::string door;     // ListenDoor's address and secret
  };
  std::optional<Preload> preload;
  std::optional<uint16_t> port;          // of the cluster's first address
  std::vector<std::string> inherited;    // "KEY=VALUE", from `start`
  std::vector<std::string> environment;  // "KEY=VALUE", from the operator
};

// What a program of these options inherits: the environment of this process, or with a user of its own and without
// --keep-env PATH, LANG, LC_*, TZ and TERM of it; and who that user is.
std::vector<std::string> InheritedEnvironment(const LaunchOptions& options);

// The whole environment, "KEY=VALUE" each, sorted.
std::vector<std::string> EnvironmentOf(const ProgramPlace& place);

// The names of the operator's variables that the program does not get, for ours stand in their place.
std::vector<std::string> OverruledIn(const LaunchOptions& options);

}  // namespace uc::exec

#endif  // CORE_EXEC_ENVIRONMENT_H_
