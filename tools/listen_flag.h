// ListenFlag: one --listen: where clients connect and, behind '=', the program's own port for them.
#ifndef TOOLS_LISTEN_FLAG_H_
#define TOOLS_LISTEN_FLAG_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "core/net/address.h"

namespace uc::tools {

struct ListenFlag {
  net::Address address;
  uint16_t program_port = 0;  // 0: not said
};

// "0.0.0.0:80", ":80=3000". InvalidArgument in one line.
absl::StatusOr<ListenFlag> ParseListen(absl::string_view text);
// Of all of --listen; 0: none says it. A program has one site, so they all have to mean the same port.
absl::StatusOr<uint16_t> ProgramPortOf(absl::Span<const std::string> texts);

}  // namespace uc::tools

#endif  // TOOLS_LISTEN_FLAG_H_
