// Monit: a live view of all clusters in a plain terminal, once a second, from the scoreboards and /proc. Asks no
// coordinator and disturbs no worker. q or Ctrl-C ends it.
#ifndef TOOLS_MONIT_MONIT_H_
#define TOOLS_MONIT_MONIT_H_

#include <string>
#include <vector>

namespace uc::tools {

struct MonitOptions {
  std::string base_directory;
  bool once =
      false;  // one picture, without the terminal's tricks; also where stdout is no terminal
  bool json = false;  // with `once`
};

// `names`: these only; none: all. Returns the exit code.
int RunMonit(const std::vector<std::string>& names, const MonitOptions& options);

}  // namespace uc::tools

#endif  // TOOLS_MONIT_MONIT_H_
