// The one place that knows llhttp: its strict grammar reads a complete head, in one call.
#ifndef CORE_HTTP_READ_FIELDS_H_
#define CORE_HTTP_READ_FIELDS_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "absl/strings/string_view.h"
#include "core/http/fault.h"
#include "core/http/message.h"

namespace uc::http {

// How llhttp would frame the body. framing.h decides; where llhttp reads it otherwise, so will servers on
// the way ("chunked" and a tab behind it is such a case), and the request is refused.
struct SecondOpinion {
  bool chunked = false;
  std::optional<uint64_t> content_length;
};

// `head` is what HeadScan found, of `lines` lines, and its request line was accepted. On success
// `fields` has views into it; after a fault it is of no use.
Fault ReadFields(absl::string_view head, size_t lines, size_t fields_max,
                 std::vector<Field>* fields, SecondOpinion* opinion);

}  // namespace uc::http

#endif  // CORE_HTTP_READ_FIELDS_H_
