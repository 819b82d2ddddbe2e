// What the first bytes of a connection are the beginning of. Pure.
//
//   HTTP/1   a token and a space (or a tab), or white space or an empty line before one: what a parser of ours answers,
//            with 400 if it is malformed. Also what only a lenient server would read as a request belongs here: it must
//            not get to one unread.
//   HTTP/2   the whole preface (RFC 9113 3.4): 24 bytes, of which the first four could be HTTP/1's
//   TLS      a handshake record (RFC 8446 5.1): 2 bytes
//   other    everything else: a byte that no token has, before a space
//
// A token and no end is undecided, however long it takes; one longer than kMethodBytesMax is HTTP/1's affair (400).
#ifndef CORE_HTTP_FIRST_BYTES_H_
#define CORE_HTTP_FIRST_BYTES_H_

#include <cstddef>

#include "absl/strings/string_view.h"

namespace uc::http {

enum class FirstBytes { kUndecided, kHttp1, kHttp2, kTls, kOther };

inline constexpr size_t kMethodBytesMax = 32;  // the longest registered one has 17
// So many bytes are never undecided.
inline constexpr size_t kFirstBytesMax = kMethodBytesMax + 1;

FirstBytes Classify(absl::string_view bytes);

}  // namespace uc::http

#endif  // CORE_HTTP_FIRST_BYTES_H_
