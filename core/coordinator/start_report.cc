#include "core/coordinator/start_report.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace uc::coordinator {

StartReport ToReport(const std::string& name, const policy::StartEnded& ended,
                     const std::vector<net::Address>& addresses) {
  const std::string where =
      addresses.empty() ? "no address"
                        : absl::StrJoin(addresses, ", ", [](std::string* out, const auto& address) {
                            out->append(address.ToString());
                          });
  const char* const noun = ended.wanted == 1 ? " worker" : " workers";
  if (ended.failures.empty()) {
    const uint32_t done = ended.wanted - ended.serving;
    return {true,
            absl::StrCat(
                "cluster ", name, " is ready: ", ended.wanted, noun, " on ", where,
                done == 0 ? ""
                : done == 1
                    ? "; 1 of them has ended as it may, and stays down"
                    : absl::StrCat("; ", done, " of them have ended as they may, and stay down")),
            0};
  }
  return {false, absl::StrCat("cluster ", name, " is incomplete: ", ended.serving, " of ",
                              ended.wanted, noun, " serve on ", where, "; ", ended.failures)};
}

}  // namespace uc::coordinator
