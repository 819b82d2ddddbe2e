#include "core/exec/waits_at.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "core/base/fd.h"

namespace uc::exec {
namespace {

constexpr size_t kPolledMax = 256;

std::string ReadText(const std::string& path) {
  const Fd file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::string text(64 * 1024, '\0');
  const ssize_t size = file.valid() ? read(file.get(), text.data(), text.size()) : -1;
  text.resize(size < 0 ? 0 : static_cast<size_t>(size));
  return text;
}

std::vector<std::string> Entries(const std::string& path) {
  std::vector<std::string> names;
  DIR* const directory = opendir(path.c_str());
  if (directory == nullptr) return names;
  while (const dirent* entry = readdir(directory)) {
    if (entry->d_name[0] != '.') names.push_back(entry->d_name);
  }
  closedir(directory);
  return names;
}

// One process's numbers for the listeners that it has inherited or duplicated.
std::vector<int> NumbersOf(const std::string& process, absl::Span<const int> listeners) {
  std::vector<int> numbers;
  for (const std::string& name : Entries(process + "/fd")) {
    struct stat entry, listener;
    int number = 0;
    if (stat(absl::StrCat(process, "/fd/", name).c_str(), &entry) != 0 ||
        !absl::SimpleAtoi(name, &number)) {
      continue;
    }
    for (const int fd : listeners) {
      if (fstat(fd, &listener) == 0 && listener.st_ino == entry.st_ino &&
          listener.st_dev == entry.st_dev) {
        numbers.push_back(number);
      }
    }
  }
  return numbers;
}

// An epoll set of the process watches one of them ("tfd:        5 events: ..."), whoever waits there.
bool IsInEpoll(const std::string& process, const std::vector<int>& numbers) {
  for (const std::string& name : Entries(process + "/fdinfo")) {
    const std::string text = ReadText(absl::StrCat(process, "/fdinfo/", name));
    for (const absl::string_view line : absl::StrSplit(text, '\n')) {
      int number = 0;
      if (sscanf(std::string(line).c_str(), "tfd: %d", &number) == 1 &&
          std::count(numbers.begin(), numbers.end(), number) > 0) {
        return true;
      }
    }
  }
  return false;
}

bool IsPolled(pid_t thread, unsigned long where, size_t count, const std::vector<int>& numbers) {
  pollfd entries[kPolledMax];
  count = std::min(count, kPolledMax);
  iovec here = {entries, count * sizeof(pollfd)};
  iovec there = {reinterpret_cast<void*>(where), count * sizeof(pollfd)};
  if (process_vm_readv(thread, &here, 1, &there, 1, 0) != static_cast<ssize_t>(here.iov_len)) {
    return false;
  }
  return std::any_of(entries, entries + count, [&](const pollfd& entry) {
    return std::count(numbers.begin(), numbers.end(), entry.fd) > 0;
  });
}

bool ThreadWaits(const std::string& task, pid_t thread, const std::vector<int>& numbers) {
  long call = 0;
  unsigned long first = 0, second = 0;
  if (sscanf(ReadText(task + "/syscall").c_str(), "%ld 0x%lx 0x%lx", &call, &first, &second) != 3) {
    return false;  // "running", or we may not know
  }
  if (call == SYS_accept || call == SYS_accept4) {
    return std::count(numbers.begin(), numbers.end(), static_cast<int>(first)) > 0;
  }
  return (call == SYS_poll || call == SYS_ppoll) && IsPolled(thread, first, second, numbers);
}

}  // namespace

bool WaitsAt(pid_t process, absl::Span<const int> listeners) {
  const std::string path = absl::StrCat("/proc/", process);
  const std::vector<int> numbers = NumbersOf(path, listeners);
  if (numbers.empty()) return false;
  if (IsInEpoll(path, numbers)) return true;
  for (const std::string& name : Entries(path + "/task")) {
    int thread = 0;
    if (absl::SimpleAtoi(name, &thread) &&
        ThreadWaits(absl::StrCat(path, "/task/", name), thread, numbers)) {
      return true;
    }
  }
  return false;
}

}  // namespace uc::exec
