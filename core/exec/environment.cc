#include "core/exec/environment.h"

#include <algorithm>
#include <initializer_list>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "core/exec/carried.h"
#include "core/exec/preload/protocol.h"
#include "core/link/program_mark.h"
#include "core/link/worker_mark.h"

namespace uc::exec {
namespace {

constexpr char kPreload[] = "LD_PRELOAD";
// libuv (1.45 on) can register with epoll through a ring, past every library.
constexpr char kUvRing[] = "UV_USE_IO_URING";
// Child sets the last four, where it passes descriptors on.
constexpr absl::string_view kOurs[] = {link::kNameVariable,
                                       link::kSlotVariable,
                                       link::kGenerationVariable,
                                       link::kWorkerMarkVariable,
                                       kDoorVariable,
                                       link::kNotifyVariable,
                                       "LISTEN_FDS",
                                       "LISTEN_PID",
                                       "LISTEN_FDNAMES",
                                       "NODE_CHANNEL_FD"};

using Variables = std::map<std::string, std::string>;

void Put(Variables& variables, const std::string& variable) {
  const size_t equals = variable.find('=');
  if (equals == std::string::npos) return;
  variables[variable.substr(0, equals)] = variable.substr(equals + 1);
}

std::string Get(const Variables& variables, const std::string& name) {
  const auto found = variables.find(name);
  return found == variables.end() ? "" : found->second;
}

// Ours is the first that the dynamic linker asks; spaces and colons both separate (ld.so(8)).
std::string Join(std::initializer_list<std::string> libraries) {
  std::string all;
  for (const std::string& one : libraries) {
    if (!one.empty()) absl::StrAppend(&all, all.empty() ? "" : ":", one);
  }
  return all;
}

}  // namespace

std::vector<std::string> InheritedEnvironment(const LaunchOptions& options) {
  std::vector<std::string> inherited = OwnEnvironment();
  if (!options.identity.has_value()) return inherited;
  return EnvironmentAs(*options.identity, std::move(inherited), options.keep_environment);
}

std::vector<std::string> EnvironmentOf(const ProgramPlace& place) {
  Variables variables;
  for (const std::string& variable : place.inherited) Put(variables, variable);
  const std::string inherited_libraries = Get(variables, kPreload);
  variables.erase(kPreload);
  const std::string slot = absl::StrCat(place.slot);
  for (const char* name : {"NODE_APP_INSTANCE", "INSTANCE_ID", "pm_id"}) variables[name] = slot;
  if (place.port.has_value()) variables["PORT"] = absl::StrCat(*place.port);
  for (const std::string& variable : place.environment) {
    Put(variables, absl::StrReplaceAll(variable, place.words));
  }
  for (const absl::string_view name : kOurs) variables.erase(std::string(name));
  variables[link::kNameVariable] = place.cluster;
  variables[link::kSlotVariable] = slot;
  variables[link::kGenerationVariable] = absl::StrCat(place.generation);
  if (!place.worker.empty()) variables[link::kWorkerMarkVariable] = place.worker;
  variables[link::kNotifyVariable] = place.notify_socket;
  std::string libraries = Join({Get(variables, kPreload), inherited_libraries});
  if (place.preload.has_value()) {
    libraries = Join({place.preload->library, libraries});
    variables[kDoorVariable] = place.preload->door;
    Put(variables, absl::StrCat(kUvRing, "=0"));
  }
  if (!libraries.empty()) variables[kPreload] = libraries;
  std::vector<std::string> all;
  for (const auto& [name, value] : variables) all.push_back(absl::StrCat(name, "=", value));
  return all;
}

std::vector<std::string> OverruledIn(const LaunchOptions& options) {
  Variables given;
  for (const std::string& variable : options.environment) Put(given, variable);
  std::vector<std::string> overruled;
  for (const absl::string_view name : kOurs) {
    if (given.count(std::string(name)) > 0) overruled.emplace_back(name);
  }
  Variables all;
  for (const std::string& variable : InheritedEnvironment(options)) Put(all, variable);
  for (const auto& [name, value] : given) all[name] = value;
  const std::string ring = Get(all, kUvRing);
  if (options.sockets != SocketWay::kListenFds && !ring.empty() && ring != "0") {
    overruled.emplace_back(kUvRing);
  }
  return overruled;
}

}  // namespace uc::exec
