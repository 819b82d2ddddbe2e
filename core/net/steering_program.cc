#include "core/net/steering_program.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/net/steering_object.h"

namespace uc::net {
namespace {

constexpr char kStateMap[] = "steering_state";
constexpr char kSocketMap[] = "slot_sockets";
constexpr int kKernelMajor = 5;
constexpr int kKernelMinor = 19;

struct CloseObject {
  void operator()(bpf_object* object) const { bpf_object__close(object); }
};

// The program's names in steering.bpf.c; the kernel keeps 15 letters of them.
const char* EntryOf(Balance balance) {
  switch (balance) {
    case Balance::kLeastConnections:
      return "steer_by_load";
    case Balance::kRoundRobin:
      return "steer_in_turn";
    case Balance::kRandom:
      return "steer_by_chance";
    case Balance::kHash:
      return "steer_by_hash";
  }
  return "";
}

absl::Status CheckKernel() {
  utsname system;
  int major = 0;
  int minor = 0;
  if (uname(&system) != 0 || sscanf(system.release, "%d.%d", &major, &minor) != 2) {
    return absl::OkStatus();  // then what it cannot do will show
  }
  if (std::pair(major, minor) >= std::pair(kKernelMajor, kKernelMinor)) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat("steering needs Linux ", kKernelMajor, ".",
                                                    kKernelMinor, ", this is ", system.release));
}

absl::Status WhyNot(int error) {
  switch (error) {
    case EPERM:
      return absl::PermissionDeniedError(
          "loading the steering program needs CAP_BPF (and a sandbox that lets bpf(2) through)");
    case ENOSYS:
      return absl::FailedPreconditionError("this kernel has no bpf(2)");
    case EINVAL:
    case EACCES:
    case E2BIG:
      return absl::FailedPreconditionError(
          absl::StrCat("this kernel does not accept the steering program (", strerror(error), ")"));
    default:
      return absl::FailedPreconditionError(
          absl::StrCat("the steering program cannot be loaded: ", strerror(error)));
  }
}

Fd Copy(int fd) { return Fd(fcntl(fd, F_DUPFD_CLOEXEC, 3)); }

// The program and the socket map of one address. `state`: of the addresses before; made by the first.
absl::StatusOr<SteeringProgram> LoadOne(Balance balance, Fd& state) {
  const bpf_object_open_opts options = {.sz = sizeof(options), .object_name = "uc_steering"};
  const std::unique_ptr<bpf_object, CloseObject> object(
      bpf_object__open_mem(kSteeringObject, kSteeringObjectBytes, &options));
  if (object == nullptr) return WhyNot(errno);
  bpf_program* one = nullptr;
  bpf_object__for_each_program(one, object.get()) bpf_program__set_autoload(one, false);
  bpf_program* const program = bpf_object__find_program_by_name(object.get(), EntryOf(balance));
  bpf_map* const states = bpf_object__find_map_by_name(object.get(), kStateMap);
  bpf_map* const sockets = bpf_object__find_map_by_name(object.get(), kSocketMap);
  if (program == nullptr || states == nullptr || sockets == nullptr) {
    return absl::InternalError("the steering object lacks its parts");
  }
  bpf_program__set_autoload(program, true);
  bpf_program__set_expected_attach_type(program, BPF_SK_REUSEPORT_SELECT_OR_MIGRATE);
  if (state.valid() && bpf_map__reuse_fd(states, state.get()) != 0) return WhyNot(errno);
  if (const int error = bpf_object__load(object.get()); error != 0) return WhyNot(-error);
  if (!state.valid()) state = Copy(bpf_map__fd(states));
  SteeringProgram loaded{Copy(bpf_map__fd(sockets)), Copy(bpf_program__fd(program))};
  if (!state.valid() || !loaded.sockets.valid() || !loaded.program.valid()) return WhyNot(EMFILE);
  return loaded;
}

// What kind of BPF object it is, which nothing else says before it is asked as one.
bool IsLinkTo(const Fd& fd, absl::string_view what) {
  char target[64];
  const std::string path = absl::StrCat("/proc/self/fd/", fd.get());
  const ssize_t bytes = readlink(path.c_str(), target, sizeof(target));
  return bytes > 0 && absl::string_view(target, static_cast<size_t>(bytes)) == what;
}

absl::StatusOr<bpf_map_info> MapInfo(const Fd& map) {
  bpf_map_info info = {};
  uint32_t bytes = sizeof(info);
  if (!IsLinkTo(map, "anon_inode:bpf-map") ||
      bpf_obj_get_info_by_fd(map.get(), &info, &bytes) != 0) {
    return absl::FailedPreconditionError(absl::StrCat("descriptor ", map.get(), " is no BPF map"));
  }
  return info;
}

absl::Status NotOurs(const Fd& fd, absl::string_view what) {
  return absl::FailedPreconditionError(
      absl::StrCat("descriptor ", fd.get(), " is not the ", what, " of steering"));
}

}  // namespace

absl::StatusOr<SteeringPrograms> LoadSteeringPrograms(Balance balance, size_t addresses) {
  if (absl::Status status = CheckKernel(); !status.ok()) return status;
  libbpf_set_print(nullptr);  // the Status says it
  SteeringPrograms loaded;
  for (size_t i = 0; i < addresses; ++i) {
    absl::StatusOr<SteeringProgram> one = LoadOne(balance, loaded.state);
    if (!one.ok()) return one.status();
    loaded.addresses.push_back(*std::move(one));
  }
  return loaded;
}

absl::Status CheckStateMap(const Fd& state) {
  const absl::StatusOr<bpf_map_info> info = MapInfo(state);
  if (!info.ok()) return info.status();
  const bool ours = info->type == BPF_MAP_TYPE_ARRAY && info->max_entries == 1 &&
                    info->value_size == sizeof(SteeringState) &&
                    (info->map_flags & BPF_F_MMAPABLE) != 0 &&
                    absl::string_view(info->name) == kStateMap;
  return ours ? absl::OkStatus() : NotOurs(state, "state map");
}

absl::Status CheckProgram(const Fd& state, const SteeringProgram& program, Balance balance) {
  const absl::StatusOr<bpf_map_info> states = MapInfo(state);
  if (!states.ok()) return states.status();
  const absl::StatusOr<bpf_map_info> sockets = MapInfo(program.sockets);
  if (!sockets.ok()) return sockets.status();
  if (sockets->type != BPF_MAP_TYPE_REUSEPORT_SOCKARRAY ||
      sockets->max_entries != kSteeredSlotsMax || sockets->value_size != sizeof(uint64_t)) {
    return NotOurs(program.sockets, "socket map");
  }
  std::array<uint32_t, 2> used = {};
  bpf_prog_info info = {};
  info.nr_map_ids = used.size();
  info.map_ids = reinterpret_cast<uintptr_t>(used.data());
  uint32_t bytes = sizeof(info);
  if (!IsLinkTo(program.program, "anon_inode:bpf-prog") ||
      bpf_obj_get_info_by_fd(program.program.get(), &info, &bytes) != 0) {
    return absl::FailedPreconditionError(
        absl::StrCat("descriptor ", program.program.get(), " is no BPF program"));
  }
  const auto uses = [&used](uint32_t id) {
    return std::find(used.begin(), used.end(), id) != used.end();
  };
  const bool ours = info.type == BPF_PROG_TYPE_SK_REUSEPORT && info.nr_map_ids == used.size() &&
                    uses(states->id) && uses(sockets->id) &&
                    absl::string_view(info.name) == EntryOf(balance);
  return ours ? absl::OkStatus() : NotOurs(program.program, "program");
}

}  // namespace uc::net
