#include "core/exec/carried.h"

#include <stdlib.h>
#include <unistd.h>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace uc::exec {
namespace {

constexpr char kPrefix[] = "URING_CLUSTER_ENV_";
constexpr char kDescriptors[] = "URING_CLUSTER_DESCRIPTORS";
// Of one process and its upgrade; whoever is started with them by accident would take itself for an upgrade.
constexpr absl::string_view kMomentary[] = {"URING_CLUSTER_UPGRADE_FD=",
                                            "URING_CLUSTER_REHEARSAL="};

bool IsOfAMoment(absl::string_view variable) {
  for (const absl::string_view name : kMomentary) {
    if (absl::StartsWith(variable, name)) return true;
  }
  return absl::StartsWith(variable, absl::StrCat(kDescriptors, "="));
}

}  // namespace

std::string Carried(absl::string_view variable) { return absl::StrCat(kPrefix, variable); }

std::vector<std::string> CarriedEnvironment() {
  std::vector<std::string> variables;
  for (char** one = environ; *one != nullptr; ++one) {
    absl::string_view variable = *one;
    if (absl::ConsumePrefix(&variable, kPrefix) && variable.find('=') != 0) {
      variables.emplace_back(variable);
    }
  }
  return variables;
}

std::vector<std::string> CarriedAsItIs() {
  std::vector<std::string> variables;
  for (const std::string& variable : CarriedEnvironment()) variables.push_back(Carried(variable));
  if (const uint64_t limit = CarriedDescriptorLimit(); limit != 0) {
    variables.push_back(absl::StrCat(kDescriptors, "=", limit));
  }
  return variables;
}

std::vector<std::string> OwnEnvironment() {
  std::vector<std::string> variables;
  for (char** one = environ; *one != nullptr; ++one) {
    if (!absl::StartsWith(*one, kPrefix) && !IsOfAMoment(*one)) variables.emplace_back(*one);
  }
  return variables;
}

void TakeCarriedEnvironment() {
  for (const std::string& variable : CarriedEnvironment()) {
    const size_t equals = variable.find('=');
    const std::string name = variable.substr(0, equals);
    setenv(name.c_str(), variable.substr(equals + 1).c_str(), 1);
    unsetenv(absl::StrCat(kPrefix, name).c_str());
  }
  unsetenv(kDescriptors);
}

void CarryDescriptorLimit(uint64_t soft_limit) {
  setenv(kDescriptors, absl::StrCat(soft_limit).c_str(), 1);
}

uint64_t CarriedDescriptorLimit() {
  const char* const text = getenv(kDescriptors);
  uint64_t limit = 0;
  return text != nullptr && absl::SimpleAtoi(text, &limit) ? limit : 0;
}

}  // namespace uc::exec
