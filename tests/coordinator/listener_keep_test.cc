// ListenerKeep: which slots have connections that nobody takes.
#include "core/coordinator/listener_keep.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "core/net/listener.h"

namespace uc::coordinator {
namespace {

using Slots = std::vector<policy::SlotIndex>;

Fd Listening() {
  const net::Address address = *net::Address::Parse("127.0.0.1:0");
  absl::StatusOr<Fd> socket = net::Bind(address, {});
  EXPECT_TRUE(socket.ok() && net::StartListening(*socket, address, {}).ok());
  return *std::move(socket);
}

Fd Connect(const Fd& listener) {
  sockaddr_in address = {};
  socklen_t size = sizeof(address);
  getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size);  // NOLINT
  Fd client(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  EXPECT_EQ(connect(client.get(), reinterpret_cast<sockaddr*>(&address), size), 0);  // NOLINT
  return client;
}

Fd Duplicate(const Fd& fd) { return Fd(fcntl(fd.get(), F_DUPFD_CLOEXEC, 0)); }

std::vector<Fd> OneOf(Fd fd) {
  std::vector<Fd> one;
  one.push_back(std::move(fd));
  return one;
}

TEST(ListenerKeep, FindsTheSlotWhoseConnectionsNobodyTakes) {
  ListenerKeep keep(1, ListenerKeep::Kind::kFixed);
  const Fd third = Listening();
  ASSERT_TRUE(keep.Keep(0, OneOf(Listening())));
  ASSERT_TRUE(keep.Keep(3, OneOf(Duplicate(third))));
  EXPECT_EQ(keep.SlotsWithWork(), Slots{});

  const Fd client = Connect(third);
  EXPECT_EQ(keep.SlotsWithWork(), Slots{3});
  const Fd taken(accept(third.get(), nullptr, nullptr));
  ASSERT_TRUE(taken.valid());
  EXPECT_EQ(keep.SlotsWithWork(), Slots{});
}

TEST(ListenerKeep, WhatComesAndGoesAfterALookIsLookedAt) {
  ListenerKeep keep(1, ListenerKeep::Kind::kFixed);
  const Fd second = Listening();
  ASSERT_TRUE(keep.Keep(0, OneOf(Listening())));
  EXPECT_EQ(keep.SlotsWithWork(), Slots{});
  ASSERT_TRUE(keep.Keep(1, OneOf(Duplicate(second))));
  const Fd client = Connect(second);
  EXPECT_EQ(keep.SlotsWithWork(), Slots{1});
  keep.Evacuate(1);
  EXPECT_EQ(keep.SlotsWithWork(), Slots{});
}

TEST(ListenerKeep, WhoSleepsIsWokenByAConnectionToAnyOfThem) {
  ListenerKeep keep(1, ListenerKeep::Kind::kFixed);
  const Fd second = Listening();
  ASSERT_TRUE(keep.Keep(0, OneOf(Listening())));
  ASSERT_TRUE(keep.Keep(1, OneOf(Duplicate(second))));
  std::vector<pollfd> polled(keep.Polled().begin(), keep.Polled().end());
  ASSERT_EQ(polled.size(), 2u);
  EXPECT_EQ(poll(polled.data(), polled.size(), 0), 0);
  const Fd client = Connect(second);
  EXPECT_EQ(poll(polled.data(), polled.size(), 5'000), 1);
  keep.Evacuate(1);
  EXPECT_EQ(keep.Polled().size(), 1u);
}

TEST(ListenerKeep, EachListenerOfASlotCounts) {
  ListenerKeep keep(2, ListenerKeep::Kind::kFixed);
  const Fd second = Listening();
  std::vector<Fd> both;
  both.push_back(Listening());
  both.push_back(Duplicate(second));
  ASSERT_TRUE(keep.Keep(1, std::move(both)));
  const Fd client = Connect(second);
  EXPECT_EQ(keep.SlotsWithWork(), Slots{1});
}

TEST(ListenerKeep, NoWorkWaitsWhereNobodyListensYetOrAnyMore) {
  ListenerKeep keep(1, ListenerKeep::Kind::kFixed);
  EXPECT_EQ(keep.SlotsWithWork(), Slots{});
  const Fd shut = Listening();
  ASSERT_TRUE(keep.Keep(0, OneOf(*net::Bind(*net::Address::Parse("127.0.0.1:0"), {}))));
  ASSERT_TRUE(keep.Keep(1, OneOf(Duplicate(shut))));
  ASSERT_EQ(shutdown(shut.get(), SHUT_RD), 0);
  EXPECT_EQ(keep.SlotsWithWork(), Slots{});
}

}  // namespace
}  // namespace uc::coordinator
