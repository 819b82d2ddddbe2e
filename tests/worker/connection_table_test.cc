#include "core/worker/connection_table.h"

#include <sys/socket.h>

#include <memory>
#include <utility>

#include "core/worker/tcp_connection.h"
#include "gtest/gtest.h"

namespace uc::worker {
namespace {

class Quiet : public app::App {};

class ConnectionTableTest : public testing::Test {
 protected:
  // A connection that has been opened in a place of its own.
  uint32_t Open() {
    const uint32_t index =
        table_.Take([this] { return std::make_unique<TcpConnection>(service_); });
    int ends[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    peers_.emplace_back(ends[1]);
    table_.at(index).Open(Fd(ends[0]), index, table_.generation(index), row_.counters,
                          Connection::FirstBytes::kAwaited);
    return index;
  }
  void End(uint32_t index) {
    table_.at(index).Abandon();
    table_.Free(index);
  }

  std::unique_ptr<ring::Ring> ring_ = ring::Ring::Create({}).value();
  Deadlines deadlines_{{}};
  Quiet app_;
  WorkerOptions options_;
  scoreboard::Report row_ = {};
  Service service_{*ring_, deadlines_, app_, app_.options(), options_, row_};
  ConnectionTable table_;
  std::vector<Fd> peers_;
};

TEST_F(ConnectionTableTest, CompletionsFindThePresentTenant) {
  const uint32_t index = Open();
  EXPECT_EQ(table_.Find(index, table_.generation(index)), &table_.at(index));
  EXPECT_EQ(table_.open(), 1u);
}

TEST_F(ConnectionTableTest, CompletionsForAFormerTenantAreStale) {
  const uint32_t index = Open();
  const uint32_t former = table_.generation(index);
  End(index);
  EXPECT_EQ(table_.Find(index, former), nullptr);
  EXPECT_EQ(Open(), index) << "the place is used again";
  EXPECT_EQ(table_.Find(index, former), nullptr);
  EXPECT_NE(table_.Find(index, table_.generation(index)), nullptr);
}

TEST_F(ConnectionTableTest, CompletionsForNoPlaceAreStale) {
  EXPECT_EQ(table_.Find(12, 0), nullptr);
}

TEST_F(ConnectionTableTest, PlacesAreMadeOnlyForTheMostThatEverWere) {
  for (int round = 0; round < 3; ++round) {
    std::vector<uint32_t> open;
    for (int i = 0; i < 10; ++i) open.push_back(Open());
    for (const uint32_t index : open) End(index);
  }
  EXPECT_EQ(table_.places(), 10u);
  EXPECT_EQ(table_.open(), 0u);
}

}  // namespace
}  // namespace uc::worker
