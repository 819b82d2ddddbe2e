// uring-cluster-delay-line: two network namespaces with a delay between them, in user space.
//
// Bare loopback hides what is lost while a handshake is half done: nothing is ever half done there. This kernel has
// no netem; so each side gets a TUN device, and this process carries the packets over after half a round trip.
// Everything vanishes when stdin ends.
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <iostream>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "core/base/check.h"
#include "core/base/clock.h"
#include "tools/delay_line/delay_queue.h"
#include "tools/delay_line/network.h"

ABSL_FLAG(absl::Duration, rtt, absl::Milliseconds(20), "round-trip time; half of it each way");
ABSL_FLAG(int, client_addresses, 8, "addresses of the client's side, 1 to 200");
ABSL_FLAG(int, mtu, 1500, "of both devices");
ABSL_FLAG(int64_t, queue_packets, 20'000, "packets under way in each direction; more are dropped");
ABSL_FLAG(double, loss, 0, "fraction of packets that get lost");
ABSL_FLAG(uint64_t, seed, 1, "of the loss");

namespace uc::delay_line {
namespace {

constexpr int kExitOperator = 2;
constexpr size_t kPacketBytesMax = 65'536;
constexpr int kPacketsPerTurn = 256;

// One direction: from one device to the other.
class Direction {
 public:
  Direction(int from, int to, absl::Duration delay, size_t packets_max, double loss, uint64_t seed)
      : from_(from),
        to_(to),
        queue_(absl::ToInt64Nanoseconds(delay), packets_max),
        loss_(loss),
        random_(seed) {}

  void TakeIn(int64_t now_ns) {
    static char packet[kPacketBytesMax];
    for (int i = 0; i < kPacketsPerTurn; ++i) {
      const ssize_t size = read(from_, packet, sizeof(packet));
      if (size <= 0) return;
      if (loss_ > 0 && std::uniform_real_distribution<>(0, 1)(random_) < loss_) {
        ++lost_;
        continue;
      }
      queue_.Put(now_ns, absl::string_view(packet, static_cast<size_t>(size)));
    }
  }
  void SendDue(int64_t now_ns) {
    while (const std::string* packet = queue_.Due(now_ns)) {
      // A full device (EAGAIN) has no more room in a moment either: the packet is lost as on a wire.
      if (write(to_, packet->data(), packet->size()) < 0 && errno == EINTR) continue;
      queue_.Pop();
    }
  }
  int from() const { return from_; }
  int64_t next_ns() const { return queue_.next_ns(); }
  nlohmann::ordered_json Json() const {
    const Counts& counts = queue_.counts();
    return {{"packets", counts.packets},
            {"bytes", counts.bytes},
            {"dropped", counts.dropped},
            {"lost", lost_},
            {"longest_queue", counts.longest}};
  }

 private:
  const int from_;
  const int to_;
  DelayQueue queue_;
  const double loss_;
  std::mt19937_64 random_;
  uint64_t lost_ = 0;
};

volatile sig_atomic_t asked_to_end = 0;

// Until stdin ends.
void Carry(Direction& there, Direction& back) {
  for (;;) {
    const int64_t now_ns = MonotonicNanos();
    there.SendDue(now_ns);
    back.SendDue(now_ns);
    const int64_t next_ns = std::min(there.next_ns(), back.next_ns());
    const timespec wait = absl::ToTimespec(
        absl::Nanoseconds(std::clamp<int64_t>(next_ns - now_ns, 0, 3'600'000'000'000)));
    pollfd watched[] = {
        {there.from(), POLLIN, 0}, {back.from(), POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}};
    if (ppoll(watched, 3, &wait, nullptr) < 0 && errno != EINTR) return;
    if (asked_to_end != 0) return;
    if (watched[0].revents != 0) there.TakeIn(MonotonicNanos());
    if (watched[1].revents != 0) back.TakeIn(MonotonicNanos());
    if (watched[2].revents != 0) {
      char bytes[256];
      if (read(STDIN_FILENO, bytes, sizeof(bytes)) <= 0) return;
    }
  }
}

int Fail(absl::string_view text) {
  std::cerr << "error: " << text << "\n";
  return kExitOperator;
}

int Main() {
  const absl::Duration rtt = absl::GetFlag(FLAGS_rtt);
  const int clients = absl::GetFlag(FLAGS_client_addresses);
  const double loss = absl::GetFlag(FLAGS_loss);
  if (rtt < absl::ZeroDuration() || rtt > absl::Minutes(1))
    return Fail("--rtt is out of range: 0 to 1m");
  if (clients < 1 || clients > 200) return Fail("--client-addresses is out of range: 1 to 200");
  if (loss < 0 || loss > 1) return Fail("--loss is out of range: 0 to 1");
  if (absl::GetFlag(FLAGS_queue_packets) < 1) return Fail("--queue-packets must be at least 1");
  if (absl::GetFlag(FLAGS_mtu) < 576 || absl::GetFlag(FLAGS_mtu) > 65'000) {
    return Fail("--mtu is out of range: 576 to 65000");
  }
  // A packet that is due in 10 ms must not wait for the kernel's 50 us of slack.
  prctl(PR_SET_TIMERSLACK, 1);
  // Both namespaces are our own: instances side by side can use the same numbers.
  NetworkOptions server;
  server.addresses = {"10.77.0.1"};
  NetworkOptions client;
  for (int i = 0; i < clients; ++i) client.addresses.push_back(absl::StrCat("10.77.0.", i + 2));
  server.mtu = client.mtu = absl::GetFlag(FLAGS_mtu);
  const absl::StatusOr<Network> server_side = MakeNetwork(server);
  if (!server_side.ok()) return Fail(server_side.status().message());
  const absl::StatusOr<Network> client_side = MakeNetwork(client);
  if (!client_side.ok()) return Fail(client_side.status().message());

  const size_t packets = static_cast<size_t>(absl::GetFlag(FLAGS_queue_packets));
  const uint64_t seed = absl::GetFlag(FLAGS_seed);
  const int a = client_side->packets.get();
  const int b = server_side->packets.get();
  Direction there(a, b, rtt / 2, packets, loss, seed);
  Direction back(b, a, rtt - rtt / 2, packets, loss, seed + 1);
  struct sigaction end = {};
  end.sa_handler = [](int) { asked_to_end = 1; };
  for (const int signal : {SIGTERM, SIGINT}) sigaction(signal, &end, nullptr);

  const nlohmann::ordered_json ready = {
      {"server_netns", absl::StrCat("/proc/", getpid(), "/fd/", server_side->space.get())},
      {"client_netns", absl::StrCat("/proc/", getpid(), "/fd/", client_side->space.get())},
      {"server_address", server.addresses[0]},
      {"client_addresses", client.addresses}};
  std::cout << ready.dump() << std::endl;
  Carry(there, back);
  std::cerr
      << nlohmann::ordered_json({{"to_server", there.Json()}, {"to_client", back.Json()}}).dump()
      << "\n";
  return 0;
}

}  // namespace
}  // namespace uc::delay_line

int main(int argc, char** argv) {
  // --queue-packets and --queue_packets are the same flag.
  std::vector<std::string> words(argv, argv + argc);
  std::vector<char*> spelt;
  for (std::string& word : words) {
    const size_t end = std::min(word.find('='), word.size());
    if (word.rfind("--", 0) == 0 && end > 2) {
      std::replace(word.begin() + 2, word.begin() + static_cast<ptrdiff_t>(end), '-', '_');
    }
    spelt.push_back(word.data());
  }
  absl::ParseCommandLine(argc, spelt.data());
  return uc::delay_line::Main();
}
