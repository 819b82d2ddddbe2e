// SelfProbe: one HTTP request of ours to one worker, past all listeners: the worker is sent the other end of a
// socket pair as if it had accepted it. So a successor is tried alone, before any client meets it.
#ifndef CORE_COORDINATOR_SELF_PROBE_H_
#define CORE_COORDINATOR_SELF_PROBE_H_

#include <optional>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/base/fd.h"

namespace uc::coordinator {

struct ProbeOptions {
  bool enabled = true;
  std::string path = "/";
  // Passed: a status below 500, or with `strict` from 200 to 399: who names a path means it.
  bool strict = false;
};

class SelfProbe {
 public:
  // Sends the request. The worker's end is for link::Serve.
  static absl::StatusOr<std::pair<SelfProbe, Fd>> Begin(const ProbeOptions& options,
                                                        const std::string& host);
  SelfProbe(SelfProbe&&) = default;
  SelfProbe& operator=(SelfProbe&&) = default;

  int fd() const { return fd_.get(); }
  struct Answer {
    bool passed = false;
    std::string reason;  // why not
  };
  // When fd() is readable; nullopt: the status line is not complete yet.
  std::optional<Answer> OnReadable();

 private:
  SelfProbe(Fd fd, const ProbeOptions& options) : fd_(std::move(fd)), options_(options) {}
  Answer Judge(absl::string_view line) const;

  Fd fd_;
  ProbeOptions options_;
  std::string received_;
};

}  // namespace uc::coordinator

#endif  // CORE_COORDINATOR_SELF_PROBE_H_
