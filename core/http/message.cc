#include "core/http/message.h"

#include "absl/strings/match.h"

namespace uc::http {

absl::string_view RequestHead::field(absl::string_view name) const {
  for (const Field& field : fields) {
    if (absl::EqualsIgnoreCase(field.name, name)) return field.value;
  }
  return absl::string_view();
}

}  // namespace uc::http
