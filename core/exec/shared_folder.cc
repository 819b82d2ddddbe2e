#include "core/exec/shared_folder.h"

#include <sys/stat.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"

namespace uc::exec {

std::vector<std::string> SharedPlaces() { return {"/tmp", "/var/tmp", "/dev/shm"}; }

std::optional<std::string> SharedFolder(const std::string& place) {
  const std::string path = absl::StrCat(place, "/uring-cluster-lib-", geteuid());
  if (mkdir(path.c_str(), 0755) == 0) chmod(path.c_str(), 0755);  // whatever the umask says
  struct stat entry;
  if (lstat(path.c_str(), &entry) != 0 || !S_ISDIR(entry.st_mode) || entry.st_uid != geteuid() ||
      (entry.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return std::nullopt;
  }
  return path;
}

}  // namespace uc::exec
