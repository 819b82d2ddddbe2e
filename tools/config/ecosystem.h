// Ecosystem: PM2's config file as a list of clusters to start. PURE: text in, words out.
//
// The text is {"apps": [{"name", "script", ...}]}, a bare array of apps, or a single app. Each key that means the same
// here becomes a flag of `start`; our own flags are keys, too ("listen", "roll_width"). A key that means nothing is
// named in a note and ignored; a value of a wrong type is an error that says where it stands.
#ifndef TOOLS_CONFIG_ECOSYSTEM_H_
#define TOOLS_CONFIG_ECOSYSTEM_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "tools/flag_walk.h"

namespace uc::tools {

struct AppSpec {
  std::string name;
  std::vector<std::string> words;                                // behind `start`
  std::string directory;                                         // where to start it; empty: here
  std::vector<std::pair<std::string, std::string>> environment;  // besides ours
};

struct Ecosystem {
  std::vector<AppSpec> apps;
  std::vector<std::string> notes;  // one line each
};

struct EcosystemOptions {
  std::string where;              // of the text, for errors: "cluster.json"
  FlagSet flags;                  // that `start` has
  std::string environment;        // --env=production: what is in "env_production" goes before "env"
  std::vector<std::string> only;  // names; empty: all
  int cores = 1;                  // for negative "instances"
};

// InvalidArgument: no JSON (with line and column), no app, a wrong type, a script that looks like a flag, two apps of
// one name, a name in `only` that is not there.
absl::StatusOr<Ecosystem> ParseEcosystem(const std::string& text, const EcosystemOptions& options);

// What `init` prints.
absl::string_view SampleEcosystem();

}  // namespace uc::tools

#endif  // TOOLS_CONFIG_ECOSYSTEM_H_
