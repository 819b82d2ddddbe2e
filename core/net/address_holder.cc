#include "core/net/address_holder.h"

#include <dirent.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <memory>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace uc::net {
namespace {

// The search ends here, however many processes and descriptors a machine has.
constexpr int kDescriptorsMax = 200'000;
constexpr absl::string_view kListening = "0A";  // TCP_LISTEN, include/net/tcp_states.h

struct ListeningSocket {
  uid_t user = 0;
  uint64_t inode = 0;
};

// The host part in /proc/net/tcp: each 32-bit word of the address as this machine's number, in hex.
std::string HostText(const Address& address) {
  uint32_t words[4] = {};
  size_t count = 1;
  if (address.family() == AF_INET6) {
    sockaddr_in6 in6;
    memcpy(&in6, address.get(), sizeof(in6));
    memcpy(words, &in6.sin6_addr, sizeof(words));
    count = 4;
  } else {
    sockaddr_in in4;
    memcpy(&in4, address.get(), sizeof(in4));
    words[0] = in4.sin_addr.s_addr;
  }
  std::string text;
  for (size_t i = 0; i < count; ++i) {
    absl::StrAppend(&text, absl::Hex(words[i], absl::kZeroPad8));
  }
  return absl::AsciiStrToUpper(text);
}

bool IsWildcard(absl::string_view host) {
  return host.find_first_not_of('0') == absl::string_view::npos;
}

// Lines are "sl local_address rem_address st tx_queue:rx_queue tr:tm->when retrnsmt uid timeout
// inode" (proc_pid_net(5)); the listeners come first (tcp_get_idx() in net/ipv4/tcp_ipv4.c).
std::optional<ListeningSocket> FindListener(const std::string& path, const std::string& host,
                                            uint16_t port) {
  std::ifstream table(path);
  std::string line;
  std::getline(table, line);  // the names of the columns
  while (std::getline(table, line)) {
    const std::vector<absl::string_view> words =
        absl::StrSplit(line, absl::ByAnyChar(" \t"), absl::SkipEmpty());
    if (words.size() < 10) continue;
    if (words[3] != kListening) return std::nullopt;
    const std::vector<absl::string_view> local = absl::StrSplit(words[1], ':');
    if (local.size() != 2 ||
        local[1] != absl::AsciiStrToUpper(absl::StrCat(absl::Hex(port, absl::kZeroPad4)))) {
      continue;
    }
    if (local[0] != host && !IsWildcard(local[0]) && !IsWildcard(host)) continue;
    ListeningSocket found;
    if (absl::SimpleAtoi(words[7], &found.user) && absl::SimpleAtoi(words[9], &found.inode)) {
      return found;
    }
  }
  return std::nullopt;
}

struct CloseDirectory {
  void operator()(DIR* directory) const { closedir(directory); }
};

std::vector<std::string> NamesIn(const std::string& path) {
  std::vector<std::string> names;
  const std::unique_ptr<DIR, CloseDirectory> directory(opendir(path.c_str()));
  if (directory == nullptr) return names;
  while (const dirent* entry = readdir(directory.get())) names.push_back(entry->d_name);
  return names;
}

std::vector<pid_t> Processes(const std::string& proc) {
  std::vector<pid_t> processes;
  for (const std::string& name : NamesIn(proc)) {
    pid_t process = 0;
    if (absl::SimpleAtoi(name, &process)) processes.push_back(process);
  }
  std::sort(processes.begin(), processes.end());
  return processes;
}

// The first process, that is a coordinator rather than its workers, that has the socket open.
pid_t FindProcess(const std::string& proc, uint64_t inode) {
  const std::string wanted = absl::StrCat("socket:[", inode, "]");
  int looked_at = 0;
  for (const pid_t process : Processes(proc)) {
    const std::string folder = absl::StrCat(proc, "/", process, "/fd/");
    for (const std::string& name : NamesIn(folder)) {
      if (++looked_at > kDescriptorsMax) return 0;
      char target[64];
      const ssize_t size = readlink((folder + name).c_str(), target, sizeof(target));
      if (size > 0 && absl::string_view(target, size) == wanted) return process;
    }
  }
  return 0;
}

}  // namespace

std::string AddressHolder::ToString() const {
  if (process == 0) return absl::StrCat("a process of user id ", user);
  return absl::StrCat("process ", process, " (", command, ") of user id ", user);
}

std::optional<AddressHolder> FindAddressHolder(const Address& address, const std::string& root) {
  const std::string proc = root + "/proc";
  const std::string host = HostText(address);
  std::optional<ListeningSocket> listener;
  if (address.family() == AF_INET) {
    listener = FindListener(proc + "/net/tcp", host, address.port());
    // A listener of both families, on all interfaces (IPV6_V6ONLY off) or on a mapped address.
    if (!listener) {
      const std::string mapped =
          IsWildcard(host)
              ? host
              : absl::StrCat(
                    "0000000000000000",
                    absl::AsciiStrToUpper(absl::StrCat(absl::Hex(htonl(0xffff), absl::kZeroPad8))),
                    host);
      listener = FindListener(proc + "/net/tcp6", mapped, address.port());
    }
  } else {
    listener = FindListener(proc + "/net/tcp6", host, address.port());
  }
  if (!listener) return std::nullopt;
  AddressHolder holder;
  holder.user = listener->user;
  holder.process = FindProcess(proc, listener->inode);
  std::ifstream comm(absl::StrCat(proc, "/", holder.process, "/comm"));
  std::getline(comm, holder.command);
  return holder;
}

}  // namespace uc::net
