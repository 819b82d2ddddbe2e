#include "tests/front/upstream.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"

namespace uc::front {
namespace {

constexpr int kPatienceMs = 20'000;
constexpr int kBacklog = 64;

bool Waits(int fd, int patience_ms) {
  pollfd watch = {fd, POLLIN, 0};
  return poll(&watch, 1, patience_ms) == 1;
}

}  // namespace

Upstream::Upstream() : folder_("/tmp/uc-upstream-XXXXXX") {
  if (mkdtemp(folder_.data()) == nullptr) abort();
  path_ = folder_ + "/server";
  Return();
}

Upstream::~Upstream() { std::filesystem::remove_all(folder_); }

void Upstream::Return() {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  ASSERT_LT(path_.size(), sizeof(address.sun_path));
  memcpy(address.sun_path, path_.data(), path_.size());
  listener_.Reset(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  ASSERT_EQ(listen(listener_.get(), kBacklog), 0);
}

void Upstream::Leave() { unlink(path_.c_str()); }

Peer Upstream::Accept() {
  if (!Waits(listener_.get(), kPatienceMs)) return Peer(Fd());
  return Peer(Fd(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC)));
}

bool Upstream::Alone() const { return !Waits(listener_.get(), 0); }

void FrontStage::RaiseFront() {
  FrontOptions options;
  options.server = Endpoint::Parse(absl::StrCat("unix:", server_.path())).value();
  options.in_flight_max = in_flight_max_;
  options.waiting_max = waiting_max_;
  options.wait_max = wait_max_;
  options.protocol = options_.client_protocol;
  options.trusted_proxies = options_.trusted_proxies;
  Raise(
      [options]() -> absl::StatusOr<worker::MadeApp> { return std::make_unique<Front>(options); });
}

Peer FrontStage::Ask(Client& client, std::string_view request) {
  EXPECT_TRUE(client.Say(request));
  Peer peer = server_.Accept();
  EXPECT_NE(peer.HearHead(), "");
  return peer;
}

Peer FrontStage::ServeOnce(Client& client) {
  Peer peer = Ask(client, kGet);
  EXPECT_TRUE(peer.Say(kHello));
  EXPECT_EQ(client.Hear().body, "hello");
  return peer;
}

void FrontStage::HearsAllAfterItsEnd(Client& ends, Client& speaks) {
  ends.EndSending();
  EXPECT_EQ(speaks.HearAll(), "");
  const std::string bytes(4'000'000, 'b');
  std::thread speaker([&] {
    EXPECT_TRUE(speaks.Say(bytes));
    speaks.EndSending();
  });
  EXPECT_EQ(ends.HearAll().size(), bytes.size());
  speaker.join();
}

}  // namespace uc::front
