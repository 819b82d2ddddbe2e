#include "core/coordinator/process_memory.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <cinttypes>
#include <cstdio>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "core/base/fd.h"

namespace uc::coordinator {
namespace {

constexpr int kThreadsMax = 32;  // of one process that are asked for their children

std::string ReadProc(const std::string& path) {
  const Fd file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  char text[4096];
  const ssize_t size = file.valid() ? read(file.get(), text, sizeof(text)) : -1;
  return std::string(text, size > 0 ? size : 0);
}

// proc(5), statm: "size resident shared ..." in pages.
uint64_t ResidentOfOne(pid_t pid) {
  const std::string text = ReadProc(absl::StrCat("/proc/", pid, "/statm"));
  uint64_t pages = 0;
  if (sscanf(text.c_str(), "%*u %" SCNu64, &pages) != 1) return 0;
  return pages * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

// proc(5), task/TID/children: the children belong to the thread that has made them.
void AppendChildren(pid_t pid, std::vector<pid_t>* tree) {
  const std::string tasks = absl::StrCat("/proc/", pid, "/task");
  DIR* const directory = opendir(tasks.c_str());
  if (directory == nullptr) return;
  int threads = 0;
  while (const dirent* const entry = readdir(directory)) {
    if (entry->d_name[0] == '.') continue;
    if (++threads > kThreadsMax) break;
    const std::string text = ReadProc(absl::StrCat(tasks, "/", entry->d_name, "/children"));
    for (const absl::string_view word : absl::StrSplit(text, ' ', absl::SkipEmpty())) {
      pid_t child = 0;
      if (static_cast<int>(tree->size()) < kTreeProcessesMax && absl::SimpleAtoi(word, &child)) {
        tree->push_back(child);
      }
    }
  }
  closedir(directory);
}

}  // namespace

uint64_t ResidentBytes(pid_t pid) {
  std::vector<pid_t> tree = {pid};
  uint64_t bytes = 0;
  for (size_t next = 0; next < tree.size(); ++next) {
    bytes += ResidentOfOne(tree[next]);
    AppendChildren(tree[next], &tree);
  }
  return bytes;
}

}  // namespace uc::coordinator
