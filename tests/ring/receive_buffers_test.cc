// The ring of receive buffers: nothing is lost, nothing is mixed up, nothing leaks.
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "core/base/check.h"
#include "tests/ring/ring_fixture.h"

namespace uc::ring {
namespace {

constexpr size_t kMegabyte = 1 << 20;

Tag ReceiveOf(uint32_t connection) { return {Op::kReceive, 1, connection}; }

// An endless stream of bytes that differs from connection to connection.
class Stream {
 public:
  explicit Stream(uint64_t seed) : state_(seed * 0x9e3779b97f4a7c15 + 1) {}
  char Next() {
    state_ = state_ * 6364136223846793005 + 1442695040888963407;
    return static_cast<char>(state_ >> 56);
  }
  std::string Take(size_t size) {
    std::string text(size, '\0');
    for (char& c : text) c = Next();
    return text;
  }
  bool Continues(absl::string_view text) {
    return std::all_of(text.begin(), text.end(), [this](char c) { return c == Next(); });
  }

 private:
  uint64_t state_;
};

void SendStream(const Fd& fd, uint64_t seed, size_t size) {
  Stream stream(seed);
  // Pieces of odd sizes, so that they end everywhere in a buffer.
  for (size_t sent = 0, piece = 1; sent < size; piece = piece * 7 % 65521) {
    const std::string text = stream.Take(std::min(piece, size - sent));
    size_t done = 0;
    while (done < text.size()) {
      const ssize_t more = send(fd.get(), text.data() + done, text.size() - done, MSG_NOSIGNAL);
      UC_CHECK(more > 0);
      done += more;
    }
    sent += text.size();
  }
}

class ReceiveBuffersTest : public RingTest {
 protected:
  bool incremental() const { return GetParam() < RingOptions::Level::kPlainBuffers; }

  // Receives what comes on `connections`, each its own stream of `size` bytes, until all have
  // ended.
  void ReceiveStreams(const std::vector<Pair>& connections, size_t size) {
    std::vector<Stream> streams;
    std::vector<size_t> received(connections.size(), 0);
    for (uint32_t i = 0; i < connections.size(); ++i) {
      streams.emplace_back(i);
      ring().ReceiveMultishot(connections[i].near.get(), ReceiveOf(i));
    }
    for (size_t open = connections.size(); open > 0;) {
      ring().Turn();
      for (Completion completion; ring().Next(&completion);) {
        const uint32_t i = completion.tag.index;
        ASSERT_TRUE(completion.result >= 0 || completion.result == -ENOBUFS) << completion.result;
        received[i] += completion.data.size();
        ASSERT_TRUE(streams[i].Continues(completion.data)) << "near byte " << received[i];
        ring().Consumed(completion);
        if (completion.result == 0) {
          --open;
        } else if (!completion.more) {
          ring().ReceiveMultishot(connections[i].near.get(), ReceiveOf(i));
        }
      }
    }
    for (const size_t bytes : received) EXPECT_EQ(bytes, size);
  }

  // Streams through `count` connections at once.
  void Stream64Megabytes(uint32_t count) {
    std::vector<Pair> connections;
    for (uint32_t i = 0; i < count; ++i) connections.push_back(Connect());
    std::vector<std::thread> peers;
    const size_t size = 64 * kMegabyte / count;
    for (uint32_t i = 0; i < count; ++i) {
      peers.emplace_back([&connections, i, size] {
        SendStream(connections[i].far, i, size);
        connections[i].far.Reset();
      });
    }
    ReceiveStreams(connections, size);
    for (std::thread& peer : peers) peer.join();
  }

  // Sends pieces of 100 bytes and consumes none of them until the kernel has no buffer left.
  // Returns what was received before that.
  std::vector<Completion> Exhaust(const Pair& pair, Tag tag) {
    std::vector<Completion> held;
    said_ = 0;
    ring().ReceiveMultishot(pair.near.get(), tag);
    for (;;) {
      Say(pair.far, std::string(100, 'x'));
      said_ += 100;
      ring().Turn();
      for (Completion completion; ring().Next(&completion);) {
        if (completion.tag != tag) continue;
        if (completion.result == -ENOBUFS) {
          EXPECT_FALSE(completion.more);
          return held;
        }
        held.push_back(completion);
        if (!completion.more) ring().ReceiveMultishot(pair.near.get(), tag);
      }
    }
  }
  // Everything that the kernel had to give, in bytes (incremental) or buffers (plain).
  size_t Capacity() {
    const Pair pair = Connect();
    const std::vector<Completion> held = Exhaust(pair, ReceiveOf(77));
    size_t bytes = 0;
    for (const Completion& completion : held) bytes += completion.data.size();
    for (const Completion& completion : held) ring().Consumed(completion);
    return incremental() ? bytes : held.size();
  }
  size_t WholeCapacity() const {
    return incremental() ? size_t{options_.incremental_buffers} * options_.incremental_buffer_size
                         : options_.plain_buffers;
  }
  void RestartWithFewBuffers() {
    RingOptions options;
    options.incremental_buffers = 4;
    options.incremental_buffer_size = 1000;
    options.plain_buffers = 8;
    options.plain_buffer_size = 500;
    Restart(options);
  }

  size_t said_ = 0;  // bytes of the last Exhaust()
};
INSTANTIATE_TEST_SUITE_P(At, ReceiveBuffersTest, testing::ValuesIn(kLevels), NameOfLevel);

TEST_P(ReceiveBuffersTest, OneStreamOf64MegabytesArrivesUnharmed) { Stream64Megabytes(1); }

TEST_P(ReceiveBuffersTest, EightStreamsAtOnceAreNotMixedUp) { Stream64Megabytes(8); }

TEST_P(ReceiveBuffersTest, StreamsArriveUnharmedThroughFewTinyBuffers) {
  RestartWithFewBuffers();
  std::vector<Pair> connections;
  for (int i = 0; i < 4; ++i) connections.push_back(Connect());
  std::vector<std::thread> peers;
  for (uint32_t i = 0; i < 4; ++i) {
    peers.emplace_back([&connections, i] {
      SendStream(connections[i].far, i, kMegabyte);
      connections[i].far.Reset();
    });
  }
  ReceiveStreams(connections, kMegabyte);
  for (std::thread& peer : peers) peer.join();
}

TEST_P(ReceiveBuffersTest, BytesStayInPlaceUntilTheyAreConsumed) {
  RestartWithFewBuffers();
  const Pair pair = Connect();
  const std::vector<Completion> held = Exhaust(pair, ReceiveOf(0));
  for (const Completion& completion : held) {
    EXPECT_EQ(completion.data, std::string(completion.data.size(), 'x'));
  }
}

TEST_P(ReceiveBuffersTest, NoBufferLeftIsToldToTheOwnerAndMoreComesAfterRecycling) {
  RestartWithFewBuffers();
  const Pair pair = Connect();
  const std::vector<Completion> held = Exhaust(pair, ReceiveOf(0));
  size_t received = 0;
  for (const Completion& completion : held) {
    received += completion.data.size();
    ring().Consumed(completion);
  }
  Say(pair.far, "the end");
  // The piece that found no buffer was not lost: it waits in the socket, before the last words.
  const std::string rest = std::string(said_ - received, 'x') + "the end";
  EXPECT_EQ(Receive(pair.near.get(), ReceiveOf(0), rest.size()), rest);
}

TEST_P(ReceiveBuffersTest, AllConnectionsAreServedAfterOneHasUsedEverythingUp) {
  RestartWithFewBuffers();
  const Pair greedy = Connect(), modest = Connect();
  const std::vector<Completion> held = Exhaust(greedy, ReceiveOf(0));
  Say(modest.far, "hello");
  ring().ReceiveMultishot(modest.near.get(), ReceiveOf(1));
  EXPECT_EQ(Await(ReceiveOf(1)).result, -ENOBUFS);
  for (const Completion& completion : held) ring().Consumed(completion);
  EXPECT_EQ(Receive(modest.near.get(), ReceiveOf(1), 5), "hello");
}

TEST_P(ReceiveBuffersTest, ExhaustionNeitherLosesNorDoublesBuffers) {
  RestartWithFewBuffers();
  for (int time = 0; time < 20; ++time) EXPECT_EQ(Capacity(), WholeCapacity());
}

TEST_P(ReceiveBuffersTest, EndsOfStreamsNeitherLoseNorDoubleBuffers) {
  RestartWithFewBuffers();
  for (int time = 0; time < 200; ++time) {
    Pair pair = Connect();
    Say(pair.far, "bye");
    pair.far.Reset();
    EXPECT_EQ(Receive(pair.near.get(), ReceiveOf(0), 100), "bye");
  }
  // An incremental buffer that was begun is not whole until it has come round.
  const size_t first = Capacity();
  EXPECT_LE(first, WholeCapacity());
  EXPECT_GT(first + options_.incremental_buffer_size, WholeCapacity());
  EXPECT_EQ(Capacity(), WholeCapacity());
}

TEST_P(ReceiveBuffersTest, CancelledAndFailedReceivesNeitherLoseNorDoubleBuffers) {
  RestartWithFewBuffers();
  for (int time = 0; time < 200; ++time) {
    Pair pair = Connect();
    const linger hard = {1, 0};
    setsockopt(pair.far.get(), SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
    ring().ReceiveMultishot(pair.near.get(), ReceiveOf(0));
    if (time % 2 == 0) ring().Cancel(ReceiveOf(0));
    if (time % 2 == 1) pair.far.Reset();
    EXPECT_EQ(AwaitLast(ReceiveOf(0)).result, time % 2 == 0 ? -ECANCELED : -ECONNRESET);
  }
  EXPECT_EQ(Capacity(), WholeCapacity());
}

}  // namespace
}  // namespace uc::ring
