// Conditional: what the If-... fields of a GET or HEAD make of a representation (RFC 9110 13). PURE.
//
// Order of RFC 9110 13.2.2: If-Match, else If-Unmodified-Since (412); If-None-Match, else
// If-Modified-Since (304); then Range, if If-Range agrees. A date that does not parse, or stands twice,
// is as if it were not there; list fields may stand in several lines.
#ifndef CORE_APP_CONDITIONAL_H_
#define CORE_APP_CONDITIONAL_H_

#include <span>
#include <string_view>

#include "absl/time/time.h"
#include "core/app/app.h"

namespace uc::app {

// Of the representation as it is now.
struct Validators {
  std::string_view etag;  // strong, with its quotes
  absl::Time modified;    // whole seconds, as Last-Modified says it
};

enum class Verdict {
  kServe,
  kNotModified,         // 304
  kPreconditionFailed,  // 412
};

struct Condition {
  Verdict verdict = Verdict::kServe;
  // The Range field to be honoured (kServe only): empty if there is none, or two, or If-Range says that
  // the client's part is of another representation.
  std::string_view range;
};

Condition Evaluate(std::span<const Header> headers, const Validators& validators);

}  // namespace uc::app

#endif  // CORE_APP_CONDITIONAL_H_
