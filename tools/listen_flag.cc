#include "tools/listen_flag.h"

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace uc::tools {

absl::StatusOr<ListenFlag> ParseListen(absl::string_view text) {
  const size_t sign = text.rfind('=');
  const absl::StatusOr<net::Address> address = net::Address::Parse(text.substr(0, sign));
  if (!address.ok()) return address.status();
  ListenFlag flag = {.address = *address};
  if (sign == absl::string_view::npos) return flag;
  uint32_t port = 0;
  if (!absl::SimpleAtoi(text.substr(sign + 1), &port) || port < 1 || port > UINT16_MAX) {
    return absl::InvalidArgumentError(
        absl::StrCat("--listen=", text.substr(0, 60),
                     ": behind '=' stands the program's own port, 1 to 65535, as in :80=3000"));
  }
  flag.program_port = static_cast<uint16_t>(port);
  return flag;
}

absl::StatusOr<uint16_t> ProgramPortOf(absl::Span<const std::string> texts) {
  uint16_t port = 0;
  for (const std::string& text : texts) {
    const absl::StatusOr<ListenFlag> flag = ParseListen(text);
    if (!flag.ok()) return flag.status();
    if (flag->program_port == 0) continue;
    if (port != 0 && port != flag->program_port) {
      return absl::InvalidArgumentError(
          absl::StrCat("--listen=", text, ": all --listen lead to one port of the program, and ",
                       "another says ", port));
    }
    port = flag->program_port;
  }
  return port;
}

}  // namespace uc::tools
