// Which requests may be sent to the server again when the connection ended before the answer. PURE.
//
// RFC 9110 9.2.2 and RFC 9112 9.3.1: a safe method, no body (it is not kept), and no byte of an answer seen. A request
// that ends the server itself would end its replacements as well, so the number of tries is bounded; the answer is 502.
#ifndef CORE_FRONT_RETRY_H_
#define CORE_FRONT_RETRY_H_

#include "absl/strings/string_view.h"
#include "core/front/pool.h"
#include "core/http/forwarding.h"
#include "core/http/message.h"

namespace uc::front {

inline constexpr int kTriesMax = 3;

inline bool IsSafe(absl::string_view method) {
  return method == "GET" || method == "HEAD" || method == "OPTIONS" || method == "TRACE";
}

inline bool IsRepeatable(const http::RequestHead& head) {
  return IsSafe(head.method) && !http::HasBody(head) && !http::AsksForUpgrade(head);
}

// What the `tries`-th try asks of its connection.
inline Wants WantsOf(const http::RequestHead& head, int tries) {
  if (tries > 1) return Wants::kNew;
  return IsRepeatable(head) ? Wants::kAny : Wants::kFresh;
}

// How far the server was when the connection ended.
enum class Reached {
  kNothing,    // no byte of an answer has come
  kAnswering,  // a part of its head, or what is no answer
};
inline bool MayTryAgain(const http::RequestHead& head, int tries, Reached reached) {
  return reached == Reached::kNothing && tries < kTriesMax && IsRepeatable(head);
}

}  // namespace uc::front

#endif  // CORE_FRONT_RETRY_H_
