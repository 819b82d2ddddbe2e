#include "tools/load/crew.h"

#include <errno.h>
#include <sched.h>
#include <sys/eventfd.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "core/base/check.h"

namespace uc::load {
namespace {

absl::Status RunOn(int cpu) {
  if (cpu < 0) return absl::OkStatus();
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<size_t>(cpu), &set);
  if (sched_setaffinity(0, sizeof(set), &set) == 0) return absl::OkStatus();
  return absl::ErrnoToStatus(errno, absl::StrCat("--cpus: processor ", cpu, " is not to be had"));
}

}  // namespace

Crew::Crew(const Options& options) : news_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  UC_CHECK(news_.valid());
  for (const ClientOptions& client : options.clients) {
    members_.push_back(std::make_unique<Member>(client));
  }
  for (size_t i = 0; i < members_.size(); ++i) {
    const int cpu = options.cpus.empty() ? -1 : options.cpus[i % options.cpus.size()];
    members_[i]->thread = std::thread([this, i, cpu] { Work(*members_[i], cpu); });
  }
}

Crew::~Crew() {
  Enough();
  for (const auto& member : members_) {
    if (member->thread.joinable()) member->thread.join();
  }
}

void Crew::Work(Member& member, int cpu) {
  member.status = RunOn(cpu);
  if (member.status.ok()) {
    member.status = member.client.Run(member.signals, [this] {
      ++answering_;
      Tell();
    });
  }
  ++ended_;
  Tell();
}

void Crew::Tell() { eventfd_write(news_.get(), 1); }

void Crew::Enough() {
  for (const auto& member : members_) member->signals.enough = true;
}

uint64_t Crew::attempts() const {
  uint64_t sum = 0;
  for (const auto& member : members_) sum += member->signals.attempts;
  return sum;
}

uint64_t Crew::answers() const {
  uint64_t sum = 0;
  for (const auto& member : members_) sum += member->signals.answers;
  return sum;
}

uint64_t Crew::lost() const {
  uint64_t sum = 0;
  for (const auto& member : members_) sum += member->signals.lost;
  return sum;
}

absl::Status Crew::Join() {
  absl::Status status;
  for (const auto& member : members_) {
    member->thread.join();
    status.Update(member->status);
  }
  return status;
}

Tally Crew::Total() const {
  Tally total;
  for (const auto& member : members_) total.Add(member->client.tally());
  return total;
}

double Crew::seconds() const {
  double longest = 0;
  for (const auto& member : members_) longest = std::max(longest, member->client.seconds());
  return longest;
}

}  // namespace uc::load
