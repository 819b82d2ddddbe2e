#include "core/link/message.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace uc::link {
namespace {

enum class Type : uint16_t {
  kAssign = 1,
  kDrain = 2,
  kReopen = 3,
  kBound = 4,
  kReady = 5,
  kRefused = 6,
  kAdopt = 7,
  kRelease = 8,
  kAdmit = 9,
  kServe = 10,
  kGive = 11,
  kHello = 12,
  kHolds = 13,
  kHelloEnd = 14,
  kClaim = 15,
  kClaimed = 16,
  kProgramEnded = 17,
  kStartProgram = 18,
};

constexpr size_t kReasonBytesMax = 1000;
constexpr int32_t kExitCodeMax = 255;

class Writer {
 public:
  Writer(Type type) {
    Number<uint32_t>(kVersion);
    Number<uint16_t>(static_cast<uint16_t>(type));
  }
  template <typename T>
  void Number(T value) {
    for (size_t i = 0; i < sizeof(T); ++i) bytes_.push_back(static_cast<char>(value >> (8 * i)));
  }
  void Text(absl::string_view text) {
    Number<uint16_t>(static_cast<uint16_t>(text.size()));
    bytes_.append(text.data(), text.size());
  }
  std::string Take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

// Every read past the end leaves zeroes and makes complete() false: one check at the end is enough.
class Reader {
 public:
  explicit Reader(absl::string_view bytes) : rest_(bytes) {}
  template <typename T>
  T Number() {
    if (rest_.size() < sizeof(T)) return Fail<T>();
    uint64_t value = 0;
    for (size_t i = 0; i < sizeof(T); ++i) {
      value |= uint64_t{static_cast<unsigned char>(rest_[i])} << (8 * i);
    }
    rest_.remove_prefix(sizeof(T));
    return static_cast<T>(value);
  }
  std::string Text() {
    const uint16_t size = Number<uint16_t>();
    if (rest_.size() < size) return Fail<std::string>();
    std::string text(rest_.substr(0, size));
    rest_.remove_prefix(size);
    return text;
  }
  bool complete() const { return !short_ && rest_.empty(); }

 private:
  template <typename T>
  T Fail() {
    short_ = true;
    rest_ = {};
    return T{};
  }
  absl::string_view rest_;
  bool short_ = false;
};

struct Encoder {
  std::string operator()(const Assign& assign) const {
    Writer writer(Type::kAssign);
    writer.Number<uint32_t>(assign.slot);
    writer.Number<uint32_t>(assign.generation);
    writer.Number<uint32_t>(assign.row);
    writer.Number<uint8_t>(static_cast<uint8_t>(assign.entry));
    writer.Number<uint16_t>(assign.steering);
    writer.Number<uint32_t>(assign.ring_entries);
    const size_t count = std::min(assign.addresses.size(), kAddressesMax);
    writer.Number<uint16_t>(static_cast<uint16_t>(count));
    for (size_t i = 0; i < count; ++i) writer.Text(assign.addresses[i]);
    return writer.Take();
  }
  std::string operator()(const Drain& drain) const {
    Writer writer(Type::kDrain);
    writer.Number<uint8_t>(static_cast<uint8_t>(drain.kind));
    writer.Number<uint32_t>(drain.within_ms);
    return writer.Take();
  }
  std::string operator()(const Reopen&) const { return Writer(Type::kReopen).Take(); }
  std::string operator()(const Adopt& adopt) const { return OfSlot(Type::kAdopt, adopt.slot); }
  std::string operator()(const Release& release) const {
    return OfSlot(Type::kRelease, release.slot);
  }
  std::string operator()(const Admit&) const { return Writer(Type::kAdmit).Take(); }
  std::string operator()(const Serve&) const { return Writer(Type::kServe).Take(); }
  std::string operator()(const Give& give) const {
    Writer writer(Type::kGive);
    const size_t count = std::min(give.connections.size(), kDescriptorsMax);
    writer.Number<uint16_t>(static_cast<uint16_t>(count));
    for (size_t i = 0; i < count; ++i) writer.Number<uint32_t>(give.connections[i]);
    return writer.Take();
  }
  std::string operator()(const Hello& hello) const {
    Writer writer(Type::kHello);
    writer.Number<uint32_t>(hello.slot);
    writer.Number<uint32_t>(hello.generation);
    writer.Number<uint8_t>(static_cast<uint8_t>(hello.phase));
    writer.Number<uint16_t>(hello.steering);
    return writer.Take();
  }
  std::string operator()(const Holds& holds) const { return OfSlot(Type::kHolds, holds.slot); }
  std::string operator()(const HelloEnd&) const { return Writer(Type::kHelloEnd).Take(); }
  std::string operator()(const Bound&) const { return Writer(Type::kBound).Take(); }
  std::string operator()(const Ready& ready) const {
    Writer writer(Type::kReady);
    writer.Number<uint8_t>(ready.http);
    return writer.Take();
  }
  std::string operator()(const Refused& refused) const {
    Writer writer(Type::kRefused);
    writer.Number<uint8_t>(refused.operator_fault);
    writer.Text(absl::string_view(refused.reason).substr(0, kReasonBytesMax));
    return writer.Take();
  }
  std::string operator()(const Claim& claim) const {
    Writer writer(Type::kClaim);
    writer.Number<uint32_t>(claim.id);
    writer.Number<uint32_t>(claim.ordinal);
    writer.Number<uint8_t>(claim.dual_stack);
    writer.Text(absl::string_view(claim.address).substr(0, kReasonBytesMax));
    return writer.Take();
  }
  std::string operator()(const Claimed& claimed) const {
    Writer writer(Type::kClaimed);
    writer.Number<uint32_t>(claimed.id);
    writer.Number<uint32_t>(claimed.error);
    writer.Text(absl::string_view(claimed.address).substr(0, kReasonBytesMax));
    return writer.Take();
  }
  std::string operator()(const ProgramEnded& ended) const {
    Writer writer(Type::kProgramEnded);
    writer.Number<uint8_t>(ended.clean);
    writer.Number<int32_t>(std::clamp(ended.exit_code, -1, kExitCodeMax));
    writer.Text(absl::string_view(ended.reason).substr(0, kReasonBytesMax));
    return writer.Take();
  }
  std::string operator()(const StartProgram&) const { return Writer(Type::kStartProgram).Take(); }

 private:
  static std::string OfSlot(Type type, uint32_t slot) {
    Writer writer(type);
    writer.Number<uint32_t>(slot);
    return writer.Take();
  }
};

}  // namespace

std::string Encode(const Message& message) { return std::visit(Encoder{}, message); }

absl::StatusOr<Message> Decode(absl::string_view bytes) {
  Reader reader(bytes);
  if (const uint32_t version = reader.Number<uint32_t>(); version != kVersion) {
    return absl::InvalidArgumentError(
        absl::StrCat("link message of version ", version, ", this is ", kVersion));
  }
  const uint16_t type = reader.Number<uint16_t>();
  Message message;
  switch (static_cast<Type>(type)) {
    case Type::kAssign: {
      Assign assign;
      assign.slot = reader.Number<uint32_t>();
      assign.generation = reader.Number<uint32_t>();
      assign.row = reader.Number<uint32_t>();
      const uint8_t entry = reader.Number<uint8_t>();
      if (entry < 1 || entry > 2) return absl::InvalidArgumentError("link: unknown entry");
      assign.entry = static_cast<Entry>(entry);
      assign.steering = reader.Number<uint16_t>();
      assign.ring_entries = reader.Number<uint32_t>();
      const uint16_t count = reader.Number<uint16_t>();
      if (count > kAddressesMax) return absl::InvalidArgumentError("link: too many addresses");
      for (uint16_t i = 0; i < count; ++i) assign.addresses.push_back(reader.Text());
      message = std::move(assign);
      break;
    }
    case Type::kDrain: {
      Drain drain;
      const uint8_t kind = reader.Number<uint8_t>();
      if (kind < 1 || kind > 2) return absl::InvalidArgumentError("link: unknown kind of drain");
      drain.kind = static_cast<DrainKind>(kind);
      drain.within_ms = reader.Number<uint32_t>();
      message = drain;
      break;
    }
    case Type::kReopen:
      message = Reopen{};
      break;
    case Type::kAdopt:
      message = Adopt{reader.Number<uint32_t>()};
      break;
    case Type::kRelease:
      message = Release{reader.Number<uint32_t>()};
      break;
    case Type::kAdmit:
      message = Admit{};
      break;
    case Type::kServe:
      message = Serve{};
      break;
    case Type::kGive: {
      Give give;
      const uint16_t count = reader.Number<uint16_t>();
      if (count > kDescriptorsMax) return absl::InvalidArgumentError("link: too many inboxes");
      for (uint16_t i = 0; i < count; ++i) give.connections.push_back(reader.Number<uint32_t>());
      message = std::move(give);
      break;
    }
    case Type::kHello: {
      Hello hello;
      hello.slot = reader.Number<uint32_t>();
      hello.generation = reader.Number<uint32_t>();
      const uint8_t phase = reader.Number<uint8_t>();
      if (phase < 1 || phase > 4) return absl::InvalidArgumentError("link: unknown phase");
      hello.phase = static_cast<Phase>(phase);
      hello.steering = reader.Number<uint16_t>();
      message = hello;
      break;
    }
    case Type::kHolds:
      message = Holds{reader.Number<uint32_t>()};
      break;
    case Type::kHelloEnd:
      message = HelloEnd{};
      break;
    case Type::kBound:
      message = Bound{};
      break;
    case Type::kReady:
      if (const uint8_t http = reader.Number<uint8_t>(); http <= 1) {
        message = Ready{http == 1};
        break;
      }
      return absl::InvalidArgumentError("link: malformed readiness");
    case Type::kRefused: {
      Refused refused;
      const uint8_t operator_fault = reader.Number<uint8_t>();
      refused.operator_fault = operator_fault != 0;
      refused.reason = reader.Text();
      if (operator_fault > 1 || refused.reason.size() > kReasonBytesMax) {
        return absl::InvalidArgumentError("link: malformed refusal");
      }
      message = std::move(refused);
      break;
    }
    case Type::kClaim: {
      Claim claim;
      claim.id = reader.Number<uint32_t>();
      claim.ordinal = reader.Number<uint32_t>();
      const uint8_t dual_stack = reader.Number<uint8_t>();
      claim.dual_stack = dual_stack == 1;
      claim.address = reader.Text();
      if (dual_stack > 1) return absl::InvalidArgumentError("link: malformed claim");
      message = std::move(claim);
      break;
    }
    case Type::kClaimed: {
      Claimed claimed;
      claimed.id = reader.Number<uint32_t>();
      claimed.error = reader.Number<uint32_t>();
      claimed.address = reader.Text();
      message = std::move(claimed);
      break;
    }
    case Type::kProgramEnded: {
      ProgramEnded ended;
      const uint8_t clean = reader.Number<uint8_t>();
      ended.clean = clean == 1;
      ended.exit_code = reader.Number<int32_t>();
      ended.reason = reader.Text();
      if (clean > 1 || ended.exit_code < -1 || ended.exit_code > kExitCodeMax ||
          ended.reason.size() > kReasonBytesMax) {
        return absl::InvalidArgumentError("link: malformed end of a program");
      }
      message = std::move(ended);
      break;
    }
    case Type::kStartProgram:
      message = StartProgram{};
      break;
    default:
      return absl::InvalidArgumentError(absl::StrCat("link message of unknown type ", type));
  }
  if (!reader.complete()) return absl::InvalidArgumentError("link message of wrong length");
  return message;
}

}  // namespace uc::link
