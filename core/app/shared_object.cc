#include "core/app/shared_object.h"

#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/base/fd.h"

// This program's own ELF header, placed by the linker: what an object must agree with.
extern "C" const ElfW(Ehdr) __ehdr_start __attribute__((visibility("hidden")));

namespace uc::app {
namespace {

constexpr size_t kProgramHeadersMax = 256;
constexpr size_t kDynamicEntriesMax = 4096;

bool ReadAt(int fd, uint64_t offset, void* into, size_t length) {
  return pread(fd, into, length, static_cast<off_t>(offset)) == static_cast<ssize_t>(length);
}

absl::Status NotSharedObject(const std::string& path, absl::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat(path, ": not a shared object: ", why));
}

absl::Status IsProgram(const std::string& path) {
  return absl::InvalidArgumentError(
      absl::StrCat(path,
                   ": programs and scripts are not supported yet: use hello, echo, static DIR or a "
                   "shared object"));
}

absl::Status IsCutShort(const std::string& path) {
  return NotSharedObject(path, "the file is cut short (is it still being copied?)");
}

absl::StatusOr<Fd> OpenFile(const std::string& path, uint64_t* size) {
  // O_NONBLOCK: a FIFO must not make us wait.
  Fd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat facts = {};
  if (!fd.valid() || fstat(fd.get(), &facts) != 0) {
    switch (errno) {
      case ENOENT:
      case ENOTDIR:
        return absl::NotFoundError(absl::StrCat(path, ": no such file"));
      case EACCES:
        return absl::PermissionDeniedError(absl::StrCat(path, ": permission denied"));
      default:
        return absl::ErrnoToStatus(errno, path);
    }
  }
  if (S_ISDIR(facts.st_mode)) {
    return NotSharedObject(path, absl::StrCat("a directory (did you mean: static ", path, ")"));
  }
  if (!S_ISREG(facts.st_mode)) return NotSharedObject(path, "not a regular file");
  *size = static_cast<uint64_t>(facts.st_size);
  return fd;
}

// Position-independent programs are ET_DYN too; the linker marks them (DF_1_PIE), and dlopen refuses
// them.
absl::Status CheckDynamicSection(const std::string& path, int fd, const ElfW(Phdr) & segment) {
  std::vector<ElfW(Dyn)> entries(
      std::min<size_t>(segment.p_filesz / sizeof(ElfW(Dyn)), kDynamicEntriesMax));
  if (!ReadAt(fd, segment.p_offset, entries.data(), entries.size() * sizeof(ElfW(Dyn)))) {
    return IsCutShort(path);
  }
  for (const ElfW(Dyn) & entry : entries) {
    if (entry.d_tag == DT_NULL) break;
    if (entry.d_tag == DT_FLAGS_1 && (entry.d_un.d_val & DF_1_PIE) != 0) return IsProgram(path);
  }
  return absl::OkStatus();
}

absl::Status CheckSegments(const std::string& path, int fd, uint64_t size,
                           const ElfW(Ehdr) & header) {
  if (header.e_phentsize != sizeof(ElfW(Phdr)) || header.e_phnum > kProgramHeadersMax) {
    return NotSharedObject(path, "its ELF header is damaged");
  }
  std::vector<ElfW(Phdr)> segments(header.e_phnum);
  if (!ReadAt(fd, header.e_phoff, segments.data(), segments.size() * sizeof(ElfW(Phdr)))) {
    return IsCutShort(path);
  }
  const ElfW(Phdr)* dynamic = nullptr;
  for (const ElfW(Phdr) & segment : segments) {
    // Touching a page past the end of a mapped file is SIGBUS: better said than suffered.
    if (segment.p_type == PT_LOAD &&
        (segment.p_offset > size || segment.p_filesz > size - segment.p_offset)) {
      return IsCutShort(path);
    }
    if (segment.p_type == PT_DYNAMIC) dynamic = &segment;
  }
  if (dynamic == nullptr) return NotSharedObject(path, "it has no dynamic section");
  return CheckDynamicSection(path, fd, *dynamic);
}

std::string Machine(const ElfW(Ehdr) & header) {
  return absl::StrCat("ELF machine ", header.e_machine, ", ",
                      header.e_ident[EI_CLASS] == ELFCLASS64 ? 64 : 32, " bit");
}

// Without a slash dlopen would search the library path (dlopen(3)).
std::string FileName(const std::string& path) {
  return absl::StrContains(path, '/') ? path : absl::StrCat("./", path);
}

absl::StatusOr<std::unique_ptr<App>> Construct(const std::string& path, App* (*factory)()) {
  try {
    std::unique_ptr<App> app(factory());
    if (app != nullptr) return app;
    return absl::FailedPreconditionError(
        absl::StrCat(path, ": its uring_cluster_app() returned no app"));
  } catch (const std::exception& error) {
    return absl::FailedPreconditionError(
        absl::StrCat(path, ": the app's constructor threw: ", error.what()));
  } catch (...) {
    return absl::FailedPreconditionError(
        absl::StrCat(path, ": the app's constructor threw an exception of unknown type"));
  }
}

}  // namespace

absl::Status CheckSharedObject(const std::string& path) {
  uint64_t size = 0;
  const absl::StatusOr<Fd> fd = OpenFile(path, &size);
  if (!fd.ok()) return fd.status();
  ElfW(Ehdr) header = {};
  const ssize_t got = pread(fd->get(), &header, sizeof(header), 0);
  if (got < 0) return absl::ErrnoToStatus(errno, path);
  if (got == 0) return NotSharedObject(path, "the file is empty");
  if (got < SELFMAG || std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0) return IsProgram(path);
  if (got < static_cast<ssize_t>(sizeof(header))) return IsCutShort(path);
  const ElfW(Ehdr)& own = __ehdr_start;
  if (header.e_ident[EI_CLASS] != own.e_ident[EI_CLASS] ||
      header.e_ident[EI_DATA] != own.e_ident[EI_DATA] || header.e_machine != own.e_machine) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": built for another machine (",
                                                   Machine(header), "; here: ", Machine(own), ")"));
  }
  if (header.e_type == ET_EXEC) return IsProgram(path);
  if (header.e_type != ET_DYN) return NotSharedObject(path, "link it with -shared");
  return CheckSegments(path, fd->get(), size, header);
}

absl::StatusOr<std::unique_ptr<App>> LoadSharedObject(const std::string& path) {
  if (absl::Status status = CheckSharedObject(path); !status.ok()) return status;
  void* const object = dlopen(FileName(path).c_str(), RTLD_NOW | RTLD_LOCAL);
  if (object == nullptr) {
    const char* const why = dlerror();  // names the file itself
    return absl::FailedPreconditionError(
        absl::StrCat("cannot load ", why != nullptr ? why : path.c_str()));
  }
  const void* const abi = dlsym(object, "uring_cluster_abi");
  if (abi == nullptr) {
    return absl::FailedPreconditionError(
        absl::StrCat(path,
                     ": not an app of uring-cluster: it has no symbol uring_cluster_abi (end its "
                     "source with URING_CLUSTER_APP)"));
  }
  const auto version = *static_cast<const std::uint32_t*>(abi);
  if (version != kAbiVersion) {
    return absl::FailedPreconditionError(
        absl::StrCat(path, ": built for ABI version ", version, ", but this uring-cluster has ABI ",
                     "version ", kAbiVersion, ": build it again with this version's app.h"));
  }
  void* const entry = dlsym(object, "uring_cluster_app");
  if (entry == nullptr) {
    return absl::FailedPreconditionError(
        absl::StrCat(path,
                     ": it has no entry point uring_cluster_app() (end its source with "
                     "URING_CLUSTER_APP)"));
  }
  return Construct(path, reinterpret_cast<App* (*)()>(entry));
}

}  // namespace uc::app
