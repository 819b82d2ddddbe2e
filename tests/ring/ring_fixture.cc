#include "tests/ring/ring_fixture.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "core/base/check.h"

namespace uc::ring {
namespace {

// A turn without an end must not hang the build: SIGALRM ends the test.
constexpr unsigned kPatienceSeconds = 50;

}  // namespace

std::string LevelName(RingOptions::Level level) {
  switch (level) {
    case RingOptions::Level::kBest:
      return "Best";
    case RingOptions::Level::kNoDeferTaskrun:
      return "NoDeferTaskrun";
    case RingOptions::Level::kPlainBuffers:
      return "PlainBuffers";
    case RingOptions::Level::kOldest:
      return "Oldest";
  }
  return "?";
}

RingTest::RingTest() {
  alarm(kPatienceSeconds);
  Restart(RingOptions{});
}

RingTest::~RingTest() { alarm(0); }

void RingTest::Restart(RingOptions options) {
  options.level = GetParam();
  options_ = options;
  ring_ = nullptr;
  seen_.clear();
  absl::StatusOr<std::unique_ptr<Ring>> ring = Ring::Create(options);
  UC_CHECK(ring.ok());
  ring_ = *std::move(ring);
}

Seen RingTest::Await(Tag tag) {
  for (;;) {
    const auto found =
        std::find_if(seen_.begin(), seen_.end(), [&](const Seen& seen) { return seen.tag == tag; });
    if (found != seen_.end()) {
      Seen seen = std::move(*found);
      seen_.erase(found);
      return seen;
    }
    ring_->Turn();
    for (Completion completion; ring_->Next(&completion);) {
      seen_.push_back(
          {completion.tag, completion.result, completion.more, std::string(completion.data)});
      ring_->Consumed(completion);
    }
  }
}

Seen RingTest::AwaitLast(Tag tag) {
  for (;;) {
    Seen seen = Await(tag);
    if (!seen.more) return seen;
  }
}

std::string RingTest::Receive(int fd, Tag tag, size_t size) {
  std::string received;
  ring_->ReceiveMultishot(fd, tag);
  while (received.size() < size) {
    const Seen seen = Await(tag);
    received += seen.data;
    if (seen.result == 0) break;
    if (!seen.more) ring_->ReceiveMultishot(fd, tag);
  }
  return received;
}

Fd RingTest::Listen(int flags) {
  Fd listener(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0));
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  UC_CHECK(bind(listener.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0);
  UC_CHECK(listen(listener.get(), 100) == 0);
  return listener;
}

Fd RingTest::ConnectTo(const Fd& listener) {
  sockaddr_in address = {};
  socklen_t size = sizeof(address);
  UC_CHECK(getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
  Fd client(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  UC_CHECK(connect(client.get(), reinterpret_cast<sockaddr*>(&address), size) == 0);
  return client;
}

Pair RingTest::Connect() {
  const Fd listener = Listen();
  Fd far = ConnectTo(listener);
  Fd near(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  UC_CHECK(near.valid());
  return {std::move(near), std::move(far)};
}

void RingTest::Say(const Fd& fd, absl::string_view text) {
  UC_CHECK(send(fd.get(), text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT) ==
           static_cast<ssize_t>(text.size()));
}

}  // namespace uc::ring
