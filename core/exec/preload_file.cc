#include "core/exec/preload_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdint>
#include <optional>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/fd.h"

namespace uc::exec {
namespace {

constexpr unsigned char kDirectImage[] = {
#include "core/exec/preload/image.inc"
};
constexpr unsigned char kSiteImage[] = {
#include "core/exec/preload/site_image.inc"
};

// FNV-1a: another build has another name, and never writes over a file that is mapped somewhere.
uint64_t Hash(absl::string_view bytes) {
  uint64_t hash = 0xcbf29ce484222325;
  for (const char byte : bytes) {
    hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001b3;
  }
  return hash;
}

bool IsOurs(const struct stat& entry) {
  return entry.st_uid == geteuid() && (entry.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

bool IsWhole(const std::string& path, absl::string_view image) {
  const Fd file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  struct stat entry;
  if (!file.valid() || fstat(file.get(), &entry) != 0 || !IsOurs(entry) ||
      entry.st_size != static_cast<off_t>(image.size()) || (entry.st_mode & S_IROTH) == 0) {
    return false;
  }
  // Refused by a file system that is mounted noexec (mmap(2): EPERM).
  void* const map = mmap(nullptr, image.size(), PROT_READ | PROT_EXEC, MAP_PRIVATE, file.get(), 0);
  if (map == MAP_FAILED) return false;
  const bool same = memcmp(map, image.data(), image.size()) == 0;
  munmap(map, image.size());
  return same;
}

bool Write(const std::string& path, absl::string_view image) {
  const std::string fresh = absl::StrCat(path, ".", getpid());
  unlink(fresh.c_str());
  const Fd file(open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644));
  const bool written =
      file.valid() && fchmod(file.get(), 0644) == 0 &&
      write(file.get(), image.data(), image.size()) == static_cast<ssize_t>(image.size()) &&
      rename(fresh.c_str(), path.c_str()) == 0;
  if (!written) unlink(fresh.c_str());
  return written;
}

std::optional<std::string> PlaceIn(const std::string& folder, absl::string_view image) {
  const std::optional<std::string> shared = SharedFolder(folder);
  if (!shared.has_value()) return std::nullopt;
  const std::string path = absl::StrCat(*shared, "/preload-", absl::Hex(Hash(image)), ".so");
  if (IsWhole(path, image) || (Write(path, image) && IsWhole(path, image))) return path;
  return std::nullopt;
}

}  // namespace

absl::string_view PreloadImage(PreloadLibrary library) {
  const auto view = [](const unsigned char* bytes, size_t size) {
    return absl::string_view(reinterpret_cast<const char*>(bytes), size);
  };
  return library == PreloadLibrary::kSite ? view(kSiteImage, sizeof(kSiteImage))
                                          : view(kDirectImage, sizeof(kDirectImage));
}

absl::StatusOr<std::string> PlacePreload(const std::vector<std::string>& folders,
                                         PreloadLibrary library) {
  for (const std::string& folder : folders) {
    if (std::optional<std::string> path = PlaceIn(folder, PreloadImage(library))) return *path;
  }
  return absl::FailedPreconditionError(
      absl::StrCat("the preload library can be put nowhere: ", absl::StrJoin(folders, ", "),
                   " are mounted noexec, not writable or full; one of them must not be"));
}

}  // namespace uc::exec
