#include "tools/logs/delivery_journal.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

#include <algorithm>

#include "core/base/check.h"
#include "core/base/fd.h"

namespace uc::tools {
namespace {

constexpr uint64_t kVersion = 0x756a'6c31;  // of the page: "ujl1"
constexpr size_t kPageBytes = 4096;
enum State : uint32_t { kIdle, kWriting, kTaking };

}  // namespace

struct DeliveryJournal::Page {
  uint64_t version;
  std::atomic<uint32_t> state;  // stored last, when all else is said
  char source[64];
  uint64_t size;
  uint64_t device;
  uint64_t inode;
  int64_t before;
  int64_t after;
};

DeliveryJournal::DeliveryJournal(const std::string& path) {
  static_assert(sizeof(Page) <= kPageBytes);
  const Fd file(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  // With its room on the disk: a page that has none is a SIGBUS when it is written.
  const bool kept = file.valid() && posix_fallocate(file.get(), 0, kPageBytes) == 0;
  void* const page =
      mmap(nullptr, kPageBytes, PROT_READ | PROT_WRITE,
           kept ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS, kept ? file.get() : -1, 0);
  UC_CHECK(page != MAP_FAILED);
  page_ = static_cast<Page*>(page);
  if (page_->version == kVersion) return;
  page_->state = kIdle;
  page_->version = kVersion;
}

DeliveryJournal::~DeliveryJournal() { munmap(page_, kPageBytes); }

std::optional<DeliveryJournal::Unfinished> DeliveryJournal::Read() const {
  if (page_->state != kWriting) return std::nullopt;
  Unfinished unfinished;
  unfinished.source.assign(page_->source, strnlen(page_->source, sizeof(page_->source)));
  unfinished.size = page_->size;
  unfinished.device = page_->device;
  unfinished.inode = page_->inode;
  unfinished.before = page_->before;
  unfinished.after = page_->after;
  return unfinished;
}

void DeliveryJournal::Begin(absl::string_view source, size_t size) {
  const size_t bytes = std::min(source.size(), sizeof(page_->source) - 1);
  memcpy(page_->source, source.data(), bytes);
  page_->source[bytes] = '\0';
  page_->size = size;
}

void DeliveryJournal::Writing(const struct stat& file, int64_t after) {
  page_->device = file.st_dev;
  page_->inode = file.st_ino;
  page_->before = file.st_size;
  page_->after = after;
  page_->state = kWriting;
}

void DeliveryJournal::Taking() { page_->state = kTaking; }

void DeliveryJournal::End() { page_->state = kIdle; }

}  // namespace uc::tools
