#include "tools/startup.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "core/exec/carried.h"
#include "tools/cluster_directory.h"
#include "tools/print_error.h"
#include "tools/subprocess.h"
#include "tools/text_file.h"

namespace uc::tools {
namespace {

constexpr int kExitDone = 0;
constexpr int kExitFailed = 1;
constexpr int kExitOperator = 2;

int Refuse(const absl::Status& status) {
  PrintError(status.message());
  return kExitOperator;
}

// systemd.syntax(7), "Quoting": between double quotes C's escapes are read; '%' begins a specifier wherever it stands
// (systemd.unit(5)). A line that is no UTF-8 is ignored as a whole, so that other bytes are escaped as well.
std::string Quoted(absl::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (!absl::ascii_isprint(byte)) {
      absl::StrAppend(&quoted, "\\x", absl::Hex(byte, absl::kZeroPad2));
    } else {
      if (c == '\\' || c == '"') quoted.push_back('\\');
      if (c == '%') quoted.push_back('%');
      quoted.push_back(c);
    }
  }
  quoted.push_back('"');
  return quoted;
}

// systemd.service(5), "Command lines": '$' begins a variable, but not in the path that is executed.
std::string Argument(absl::string_view word) {
  return absl::StrReplaceAll(Quoted(word), {{"$", "$$"}});
}

bool HoldsControl(absl::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](char c) { return absl::ascii_iscntrl(static_cast<unsigned char>(c)); });
}

// WorkingDirectory= takes all to the end of its line as it stands: there is no quoting.
absl::StatusOr<std::string> BarePath(const std::string& path) {
  if (absl::StartsWith(path, "/") && !HoldsControl(path) && !absl::EndsWith(path, "\\") &&
      !absl::EndsWith(path, " ") && !absl::StrContains(path + "/", "/../")) {
    return absl::StrReplaceAll(path, {{"%", "%%"}});
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "startup: the folder \"", absl::Utf8SafeCEscape(path),
      "\" cannot stand in a unit (control characters, '..', or a space or a backslash at its ",
      "end); start the cluster in another one"));
}

// What systemd executes: its string_is_safe() refuses some bytes, however they are written.
absl::Status CheckExecutable(const std::string& path) {
  if (!HoldsControl(path) && path.find_first_of("\"'\\") == std::string::npos) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat("startup: systemd executes no path such as \"",
                                                 absl::Utf8SafeCEscape(path),
                                                 "\"; put the program elsewhere"));
}

// The variables of the record that the unit sets; the others may hold secrets.
absl::StatusOr<std::string> EnvironmentLine(const ClusterRecord& record) {
  std::vector<std::string> chosen;
  for (const std::string& variable : record.environment) {
    if (absl::StartsWith(variable, "PATH=")) chosen.push_back(variable);
  }
  for (const std::string& variable : record.program_environment) {
    if (absl::StartsWith(variable, "PATH=")) chosen.push_back(exec::Carried(variable));
  }
  std::string lines;
  for (const std::string& variable : chosen) {
    if (HoldsControl(variable)) {
      return absl::InvalidArgumentError(
          absl::StrCat("startup: ", record.name, " was started with a PATH that holds control ",
                       "characters, which systemd does not take; start it with another one"));
    }
    absl::StrAppend(&lines, "Environment=", Quoted(variable), "\n");
  }
  return lines;
}

std::string UnitName(const std::string& cluster) {
  return absl::StrCat("uring-cluster-", cluster, ".service");
}

UnitKind OurKind() { return geteuid() == 0 ? UnitKind::kSystem : UnitKind::kUser; }

std::string UnitDirectory(const StartupOptions& options) {
  if (!options.unit_directory.empty()) return options.unit_directory;
  if (OurKind() == UnitKind::kSystem) return "/etc/systemd/system";
  const char* home = getenv("HOME");
  return absl::StrCat(home != nullptr ? home : "", "/.config/systemd/user");
}

std::string OwnPath() {
  char path[PATH_MAX];
  const ssize_t size = readlink("/proc/self/exe", path, sizeof(path));
  if (size <= 0) return "uring-cluster";
  return std::string(
      absl::StripSuffix(absl::string_view(path, static_cast<size_t>(size)), " (deleted)"));
}

absl::StatusOr<std::vector<ClusterRecord>> Records(const std::vector<std::string>& names,
                                                   const std::string& base) {
  const std::vector<std::string> known = ListRecords(base);
  std::vector<std::string> chosen = names;
  if (names.empty() && known.size() == 1) chosen = known;
  if (names.size() == 1 && names[0] == "all") chosen = known;
  const std::string list =
      known.empty() ? "" : absl::StrCat("; there is ", absl::StrJoin(known, ", "));
  if (chosen.empty()) {
    return known.empty()
               ? absl::NotFoundError(absl::StrCat("no cluster in ", base))
               : absl::InvalidArgumentError(absl::StrCat("which cluster?", list.substr(1)));
  }
  std::vector<ClusterRecord> records;
  for (const std::string& name : chosen) {
    absl::StatusOr<ClusterRecord> record = ReadRecord(absl::StrCat(base, "/", name));
    if (absl::IsNotFound(record.status()) || !CheckClusterName(name).ok()) {
      return absl::NotFoundError(
          absl::StrCat("no cluster '", name.substr(0, 63), "' in ", base, list));
    }
    if (!record.ok()) return record.status();
    records.push_back(*std::move(record));
  }
  return records;
}

// Where systemd runs; elsewhere the file is all that can be done.
bool Systemctl(std::vector<std::string> words) {
  if (access("/run/systemd/system", F_OK) != 0) return false;
  words.insert(words.begin(), "systemctl");
  if (OurKind() == UnitKind::kUser) words.insert(words.begin() + 1, "--user");
  const absl::StatusOr<int> exit_code = Run({"systemctl", words, "", Environment()});
  return exit_code.ok() && *exit_code == 0;
}

}  // namespace

absl::StatusOr<std::string> UnitText(const ClusterRecord& record, const std::string& binary,
                                     UnitKind kind) {
  if (absl::Status status = CheckClusterName(record.name); !status.ok()) return status;
  if (absl::Status status = CheckExecutable(binary); !status.ok()) return status;
  const absl::StatusOr<std::string> directory = BarePath(record.directory);
  if (!directory.ok()) return directory.status();
  const absl::StatusOr<std::string> environment = EnvironmentLine(record);
  if (!environment.ok()) return environment.status();
  std::vector<std::string> command = {Quoted(binary), "start"};
  std::string run_directory;
  for (const std::string& word : record.words) {
    if (word != "--daemon" && word != "--daemon=true") command.push_back(Argument(word));
    if (absl::StartsWith(word, "--run-dir=")) run_directory = absl::StrCat(" ", Argument(word));
  }
  return absl::StrCat(
      "[Unit]\nDescription=uring-cluster ", record.name, "\nAfter=network.target\n\n",
      "[Service]\nType=notify\nWorkingDirectory=", *directory, "\n", *environment,
      "ExecStart=", absl::StrJoin(command, " "), "\nExecReload=", Quoted(binary), " reload ",
      record.name, run_directory, "\n",
      kind == UnitKind::kSystem ? "AmbientCapabilities=CAP_BPF\n" : "",
      "KillMode=process\nRestart=on-failure\nTimeoutStopSec=15\nLimitNOFILE=infinity\n\n",
      "[Install]\nWantedBy=", kind == UnitKind::kSystem ? "multi-user.target" : "default.target",
      "\n");
}

int RunStartup(const std::vector<std::string>& names, const StartupOptions& options) {
  const auto records = Records(names, options.base_directory);
  if (!records.ok()) return Refuse(records.status());
  const std::string directory = UnitDirectory(options);
  for (const ClusterRecord& record : *records) {
    const absl::StatusOr<std::string> text = UnitText(record, OwnPath(), OurKind());
    if (!text.ok()) return Refuse(text.status());
    const std::string path = absl::StrCat(directory, "/", UnitName(record.name));
    if (!options.install) {
      std::printf("# %s\n%s%s", path.c_str(), text->c_str(),
                  &record == &records->back() ? "" : "\n");
      continue;
    }
    for (size_t slash = path.find('/', 1); slash != std::string::npos;
         slash = path.find('/', slash + 1)) {
      mkdir(path.substr(0, slash).c_str(), 0755);  // what is wrong, the file says
    }
    if (absl::Status status = ReplaceTextFile(path, *text); !status.ok()) return Refuse(status);
    chmod(path.c_str(), 0644);
    const bool enabled =
        Systemctl({"daemon-reload"}) && Systemctl({"enable", UnitName(record.name)});
    std::printf("startup: %s %s; it takes over the running cluster's workers when it is started\n",
                path.c_str(),
                enabled ? "is enabled" : "is written (no systemd runs here that could enable it)");
  }
  return kExitDone;
}

int RunUnstartup(const std::vector<std::string>& names, const StartupOptions& options) {
  if (names.empty()) {
    return Refuse(absl::InvalidArgumentError("unstartup needs the name of a cluster"));
  }
  for (const std::string& name : names) {
    if (absl::Status status = CheckClusterName(name); !status.ok()) return Refuse(status);
    const std::string path = absl::StrCat(UnitDirectory(options), "/", UnitName(name));
    if (access(path.c_str(), F_OK) == 0) Systemctl({"disable", UnitName(name)});
    if (unlink(path.c_str()) != 0) {
      PrintError(absl::StrCat(path, ": cannot be removed: ", strerror(errno)));
      return kExitFailed;
    }
    Systemctl({"daemon-reload"});
    std::printf("unstartup: %s is removed\n", path.c_str());
  }
  return kExitDone;
}

}  // namespace uc::tools
