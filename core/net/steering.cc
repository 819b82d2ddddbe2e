// PLACEHOLDER by the lead, never committed: helper-10 writes the real file.
#include "core/net/steering.h"
namespace uc::net {
struct Steering::Parts {};
absl::string_view ToString(Balance b) { switch (b) { case Balance::kLeastConnections: return "least-connections"; case Balance::kRoundRobin: return "round-robin"; case Balance::kRandom: return "random"; case Balance::kHash: return "hash"; } return "?"; }
absl::StatusOr<Balance> ParseBalance(absl::string_view t) { for (Balance b : {Balance::kLeastConnections, Balance::kRoundRobin, Balance::kRandom, Balance::kHash}) if (t == ToString(b)) return b; return absl::InvalidArgumentError("--balance: expected least-connections, round-robin, random or hash"); }
absl::StatusOr<Steering> Steering::Load(Balance, size_t) { return absl::PermissionDeniedError("stub"); }
absl::StatusOr<Steering> Steering::Recover(std::vector<Fd>) { return absl::PermissionDeniedError("stub"); }
Steering::Steering(std::unique_ptr<Parts> p) : parts_(std::move(p)) {}
Steering::Steering(Steering&&) noexcept = default; Steering& Steering::operator=(Steering&&) noexcept = default; Steering::~Steering() = default;
Balance Steering::balance() const { return Balance::kHash; } size_t Steering::addresses() const { return 0; }
std::vector<int> Steering::descriptors() const { return {}; } int Steering::state_map() const { return -1; }
absl::Status Steering::Put(uint32_t, absl::Span<const Fd>) { return absl::OkStatus(); }
void Steering::SetLive(uint32_t, bool) {} void Steering::Remove(uint32_t) {} void Steering::ForgetLoad(uint32_t, uint32_t) {}
SlotSteering Steering::Read(uint32_t) const { return {}; } uint64_t Steering::failed_selects() const { return 0; }
absl::StatusOr<SlotLoad> SlotLoad::Map(const Fd&, uint32_t) { return absl::PermissionDeniedError("stub"); }
SlotLoad::SlotLoad(void* p, size_t b, SlotState* r) : page_(p), bytes_(b), row_(r) {}
SlotLoad::SlotLoad(SlotLoad&&) noexcept = default; SlotLoad& SlotLoad::operator=(SlotLoad&&) noexcept = default; SlotLoad::~SlotLoad() { (void)page_; (void)bytes_; (void)row_; }
void SlotLoad::Accepted() {} void SlotLoad::Gained() {} void SlotLoad::Lost() {} void SlotLoad::ForgetPending() {}
bool DropBpfCapability() { return false; }
}  // namespace uc::net
