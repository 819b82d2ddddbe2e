#include "core/coordinator/self_probe.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "core/http/probe_request.h"

namespace uc::coordinator {
namespace {

constexpr size_t kStatusLineBytesMax = 512;

}  // namespace

absl::StatusOr<std::pair<SelfProbe, Fd>> SelfProbe::Begin(const ProbeOptions& options,
                                                          const std::string& host) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
    return absl::ErrnoToStatus(errno, "no socket for a probe");
  }
  SelfProbe probe(Fd(ends[0]), options);
  Fd workers_end(ends[1]);
  const std::string request = http::ProbeRequest(options.path, host);
  // A new socket's buffer takes it all.
  if (write(probe.fd(), request.data(), request.size()) != static_cast<ssize_t>(request.size())) {
    return absl::ErrnoToStatus(errno, "a probe cannot be sent");
  }
  return std::make_pair(std::move(probe), std::move(workers_end));
}

std::optional<SelfProbe::Answer> SelfProbe::OnReadable() {
  char buffer[kStatusLineBytesMax];
  const ssize_t size = recv(fd_.get(), buffer, sizeof(buffer), MSG_DONTWAIT);
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return std::nullopt;
  if (size <= 0) {
    return Answer{false, absl::StrCat("GET ", options_.path, ": it closed without an answer")};
  }
  received_.append(buffer, static_cast<size_t>(size));
  const size_t end = received_.find('\r');
  if (end == std::string::npos && received_.size() < kStatusLineBytesMax) return std::nullopt;
  return Judge(absl::string_view(received_).substr(0, end));
}

SelfProbe::Answer SelfProbe::Judge(absl::string_view line) const {
  int status = 0;
  if (!absl::ConsumePrefix(&line, "HTTP/1.1 ") || !absl::SimpleAtoi(line.substr(0, 3), &status)) {
    return {false, absl::StrCat("GET ", options_.path, ": its answer is no HTTP")};
  }
  if (options_.strict ? status >= 200 && status < 400 : status < 500) return {true, ""};
  return {false,
          absl::StrCat(
              "it answered GET ", options_.path, " with ", status,
              options_.strict
                  ? ""
                  : " (another --probe path, or --probe=off; --protocol=tcp of what is not HTTP)")};
}

}  // namespace uc::coordinator
