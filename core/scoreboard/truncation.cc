#include "core/scoreboard/truncation.h"

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <atomic>

namespace uc::scoreboard {
namespace {

// The first faults of a mapping are mended in its file. Later ones are those of a disk that is full, or of somebody who
// goes on cutting.
constexpr int kMendsMax = 64;

struct Guarded {
  std::atomic<char*> memory = nullptr;
  size_t bytes = 0;
  int fd = -1;
  int mends = 0;
};

std::array<Guarded, 64> guarded;
struct sigaction before;

bool Mend(Guarded& mapping, char* memory) {
  if (mapping.fd >= 0 && mapping.mends++ < kMendsMax &&
      ftruncate(mapping.fd, static_cast<off_t>(mapping.bytes)) == 0) {
    return true;
  }
  const int protection = mapping.fd >= 0 ? PROT_READ | PROT_WRITE : PROT_READ;
  return mmap(memory, mapping.bytes, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) !=
         MAP_FAILED;
}

// Only what signal-safety(7) allows, and mmap(2), which is a plain system call.
void OnBus(int signal_number, siginfo_t* info, void* context) {
  const int error = errno;
  const char* const address = static_cast<const char*>(info->si_addr);
  for (Guarded& mapping : guarded) {
    char* const memory = mapping.memory.load(std::memory_order_acquire);
    if (memory == nullptr || info->si_code <= 0 || address < memory ||
        address >= memory + mapping.bytes) {
      continue;
    }
    if (!Mend(mapping, memory)) break;
    errno = error;
    return;
  }
  errno = error;
  if ((before.sa_flags & SA_SIGINFO) != 0) {
    before.sa_sigaction(signal_number, info, context);
  } else if (before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN) {
    before.sa_handler(signal_number);
  } else {
    signal(signal_number, SIG_DFL);  // the look is repeated, and ends the process
  }
}

void TakeSignal() {
  struct sigaction ours = {};
  ours.sa_sigaction = OnBus;
  ours.sa_flags = SA_SIGINFO | SA_RESTART;
  sigaction(SIGBUS, &ours, &before);
}

}  // namespace

void GuardMapping(void* memory, size_t bytes, int fd) {
  static const bool taken = (TakeSignal(), true);
  static_cast<void>(taken);
  for (Guarded& mapping : guarded) {
    if (mapping.memory.load(std::memory_order_relaxed) != nullptr) continue;
    mapping.bytes = bytes;
    mapping.fd = fd;
    mapping.mends = 0;
    mapping.memory.store(static_cast<char*>(memory), std::memory_order_release);
    return;
  }
}

void UnguardMapping(void* memory) {
  for (Guarded& mapping : guarded) {
    if (mapping.memory.load(std::memory_order_relaxed) == memory) mapping.memory.store(nullptr);
  }
}

}  // namespace uc::scoreboard
