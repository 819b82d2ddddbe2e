#include "core/link/message.h"

#include <random>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace uc::link {
namespace {

using testing::HasSubstr;

// What comes out at the other end; a failure if it does not come through.
template <typename T>
T Through(const T& message) {
  const absl::StatusOr<Message> decoded = Decode(Encode(message));
  if (!decoded.ok() || !std::holds_alternative<T>(*decoded)) {
    ADD_FAILURE() << "does not round-trip: " << decoded.status();
    return T{};
  }
  return std::get<T>(*decoded);
}

const std::vector<Message>& OneOfEach() {
  static const auto* messages = new std::vector<Message>{
      Assign{7, 9, 2047, Entry::kOnAdmission, 3, 128, {"127.0.0.1:8080", "[::1]:8081"}},
      Admit{},
      Serve{},
      Drain{DrainKind::kPrompt, 1600},
      Give{{3, 0xffffffff}},
      Reopen{},
      Adopt{1023},
      Release{1023},
      Bound{},
      Ready{true},
      Refused{true, "no such app"},
      Hello{7, 9, Phase::kDraining, 5},
      Holds{4},
      HelloEnd{},
      Claim{3, 1, true, "[::]:0"},
      Claimed{3, 98, "in use"},
      ProgramEnded{false, 3, "exited with code 3"},
      StartProgram{}};
  return *messages;
}

std::string RandomBytes(std::mt19937_64& random, size_t size_max) {
  std::string bytes(random() % (size_max + 1), '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  return bytes;
}

void ExpectRefused(const std::string& bytes, const std::string& because) {
  const absl::StatusOr<Message> message = Decode(bytes);
  EXPECT_EQ(message.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(message.status().message()), HasSubstr(because));
}

// Decoded, if at all, to something that has exactly these bytes.
void ExpectExactOrRefused(const std::string& bytes) {
  const absl::StatusOr<Message> message = Decode(bytes);
  EXPECT_TRUE(!message.ok() || Encode(*message) == bytes);
}

TEST(MessageTest, AssignRoundTrips) {
  const Assign assign = Through(Assign{
      7, 0xffffffff, 2047, Entry::kOnAdmission, 129, 1024, {"127.0.0.1:8080", "[::1]:8081", ""}});
  EXPECT_EQ(assign.slot, 7u);
  EXPECT_EQ(assign.generation, 0xffffffffu);
  EXPECT_EQ(assign.row, 2047u);
  EXPECT_EQ(assign.entry, Entry::kOnAdmission);
  EXPECT_EQ(assign.steering, 129u);
  EXPECT_EQ(assign.ring_entries, 1024u);
  EXPECT_THAT(assign.addresses, testing::ElementsAre("127.0.0.1:8080", "[::1]:8081", ""));
}

TEST(MessageTest, AssignWithoutAddressesRoundTrips) {
  EXPECT_TRUE(Through(Assign{1, 2, 3, Entry::kAtOnce, 0, {}}).addresses.empty());
}

TEST(MessageTest, EachKindOfDrainRoundTrips) {
  for (const DrainKind kind : {DrainKind::kHandOver, DrainKind::kPrompt}) {
    const Drain drain = Through(Drain{kind, 123456});
    EXPECT_EQ(drain.kind, kind);
    EXPECT_EQ(drain.within_ms, 123456u);
  }
}

TEST(MessageTest, MessagesWithoutFieldsRoundTrip) {
  Through(Admit{});
  Through(Serve{});
  Through(Reopen{});
  Through(Bound{});
  Through(HelloEnd{});
  Through(StartProgram{});
  const Claim claim = Through(Claim{3, 1, true, "[::]:0"});
  EXPECT_EQ(claim.id, 3u);
  EXPECT_EQ(claim.ordinal, 1u);
  EXPECT_TRUE(claim.dual_stack);
  EXPECT_EQ(claim.address, "[::]:0");
  const Claimed claimed = Through(Claimed{3, 98, "in use"});
  EXPECT_EQ(claimed.id, 3u);
  EXPECT_EQ(claimed.error, 98u);
  EXPECT_EQ(claimed.address, "in use");
}

TEST(MessageTest, SlotsRoundTrip) {
  EXPECT_EQ(Through(Adopt{1023}).slot, 1023u);
  EXPECT_EQ(Through(Release{7}).slot, 7u);
  EXPECT_EQ(Through(Holds{0xffffffff}).slot, 0xffffffffu);
}

TEST(MessageTest, ReadyTellsWhetherTheAppSpeaksHttp) {
  EXPECT_TRUE(Through(Ready{true}).http);
  EXPECT_FALSE(Through(Ready{false}).http);
}

TEST(MessageTest, GiveRoundTripsWithAllItsNumbers) {
  EXPECT_THAT(Through(Give{{1, 0, 0xffffffff}}).connections,
              testing::ElementsAre(1, 0, 0xffffffff));
  EXPECT_EQ(Through(Give{std::vector<uint32_t>(kDescriptorsMax, 5)}).connections.size(),
            kDescriptorsMax);
}

TEST(MessageTest, HelloRoundTripsInEachPhase) {
  for (const Phase phase : {Phase::kReady, Phase::kServing, Phase::kDraining, Phase::kRestarting}) {
    const Hello hello = Through(Hello{3, 4, phase, 129});
    EXPECT_EQ(hello.phase, phase);
    EXPECT_EQ(hello.slot, 3u);
    EXPECT_EQ(hello.generation, 4u);
    EXPECT_EQ(hello.steering, 129u);
  }
}

TEST(MessageTest, UnknownEntryAndPhaseAreRefused) {
  for (const char wrong : {0, 5, 127}) {
    std::string bytes = Encode(Assign{});
    bytes[18] = wrong;
    ExpectRefused(bytes, "unknown entry");
    bytes = Encode(Hello{});
    bytes[14] = wrong;
    ExpectRefused(bytes, "unknown phase");
  }
}

TEST(MessageTest, RefusedRoundTripsWithBothFaults) {
  EXPECT_TRUE(Through(Refused{true, "port"}).operator_fault);
  const Refused refused = Through(Refused{false, std::string("a\0\xff\n", 4)});
  EXPECT_FALSE(refused.operator_fault);
  EXPECT_EQ(refused.reason, std::string("a\0\xff\n", 4));
}

TEST(MessageTest, ProgramEndedRoundTripsWithEachKindOfEnd) {
  for (const int32_t code : {-1, 0, 3, 255}) {
    const ProgramEnded ended = Through(ProgramEnded{code == 0, code, "why"});
    EXPECT_EQ(ended.clean, code == 0);
    EXPECT_EQ(ended.exit_code, code);
    EXPECT_EQ(ended.reason, "why");
  }
}

TEST(MessageTest, ExitCodeThatCannotBeIsNotSaidAndRefused) {
  EXPECT_EQ(Through(ProgramEnded{false, -70'000, ""}).exit_code, -1);
  EXPECT_EQ(Through(ProgramEnded{false, 70'000, ""}).exit_code, 255);
  for (const char high : {1, 127, -2}) {
    std::string bytes = Encode(ProgramEnded{});
    bytes[8] = high;
    ExpectRefused(bytes, "malformed end of a program");
  }
}

TEST(MessageTest, ReasonIsCutToThousandBytes) {
  EXPECT_EQ(Through(ProgramEnded{false, 1, std::string(70'000, 'r')}).reason,
            std::string(1000, 'r'));
  EXPECT_EQ(Through(Refused{false, std::string(1000, 'r')}).reason, std::string(1000, 'r'));
  EXPECT_EQ(Through(Refused{false, std::string(70'000, 'r')}).reason, std::string(1000, 'r'));
}

TEST(MessageTest, MostAndLongestAddressesFitIntoOneMessage) {
  const std::string longest = "[ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255]:65535";
  const Assign assign{
      1, 1, 1, Entry::kAtOnce, 0, 0, std::vector<std::string>(kAddressesMax, longest)};
  EXPECT_LE(Encode(assign).size(), kMessageBytesMax);
  EXPECT_EQ(Through(assign).addresses, assign.addresses);
}

TEST(MessageTest, FieldsAreLittleEndianBehindVersionAndType) {
  EXPECT_EQ(Encode(Drain{DrainKind::kPrompt, 0x01020304}),
            std::string("\x06\0\0\0\x02\0\x02\x04\x03\x02\x01", 11));
}

TEST(MessageTest, OtherVersionIsRefusedByItsNumber) {
  for (std::string bytes : {Encode(Ready{}), Encode(Assign{})}) {
    bytes[0] = 2;
    ExpectRefused(bytes, "version 2, this is 6");
  }
}

TEST(MessageTest, UnknownTypeIsRefusedByItsNumber) {
  for (const char type : {0, 99, 100}) {
    std::string bytes = Encode(Ready{});
    bytes[4] = type;
    ExpectRefused(bytes, absl::StrCat("unknown type ", static_cast<int>(type)));
  }
}

TEST(MessageTest, TypeIsTwoBytesWide) {
  std::string bytes = Encode(Ready{});
  bytes[5] = 1;
  ExpectRefused(bytes, "unknown type 261");
}

TEST(MessageTest, EmptyPacketIsRefused) { ExpectRefused("", "version 0"); }

TEST(MessageTest, TornMessageIsRefused) {
  for (const Message& message : OneOfEach()) {
    const std::string bytes = Encode(message);
    for (size_t size = 0; size < bytes.size(); ++size) ExpectRefused(bytes.substr(0, size), "link");
  }
}

TEST(MessageTest, TrailingByteIsRefused) {
  for (const Message& message : OneOfEach()) ExpectRefused(Encode(message) + '\0', "wrong length");
}

TEST(MessageTest, UnknownKindOfDrainIsRefused) {
  for (const char kind : {0, 3, 127}) {
    std::string bytes = Encode(Drain{});
    bytes[6] = kind;
    ExpectRefused(bytes, "unknown kind of drain");
  }
}

TEST(MessageTest, TooManyAddressesAreRefused) {
  std::string bytes = Encode(Assign{});
  bytes[25] = static_cast<char>(kAddressesMax + 1);
  ExpectRefused(bytes + std::string(2 * (kAddressesMax + 1), '\0'), "too many addresses");
}

TEST(MessageTest, FlagOtherThanZeroAndOneIsRefused) {
  for (const Message& message : {Message(Refused{true, "reason"}), Message(ProgramEnded{})}) {
    std::string bytes = Encode(message);
    bytes[6] = 2;
    ExpectRefused(bytes, "malformed");
  }
}

TEST(MessageTest, ReasonPastThousandBytesIsRefused) {
  std::string bytes = Encode(Refused{true, std::string(1000, 'r')});
  ++bytes[7];
  ExpectExactOrRefused(bytes + 'r');
}

TEST(MessageTest, TenThousandRandomPacketsAreExactOrRefused) {
  std::mt19937_64 random(20260101);
  for (int i = 0; i < 10'000; ++i) ExpectExactOrRefused(RandomBytes(random, 200));
}

TEST(MessageTest, TenThousandRandomBodiesAreExactOrRefused) {
  std::mt19937_64 random(20260102);
  for (int i = 0; i < 10'000; ++i) {
    std::string bytes = Encode(StartProgram{});  // its version and no body
    bytes[4] = static_cast<char>(random() % 20);
    ExpectExactOrRefused(bytes + RandomBytes(random, 40));
  }
}

TEST(MessageTest, TenThousandFlippedMessagesAreExactOrRefused) {
  std::mt19937_64 random(20260103);
  for (int i = 0; i < 10'000; ++i) {
    std::string bytes = Encode(OneOfEach()[random() % OneOfEach().size()]);
    bytes[random() % bytes.size()] ^= static_cast<char>(1 << (random() % 8));
    ExpectExactOrRefused(bytes);
  }
}

}  // namespace
}  // namespace uc::link
