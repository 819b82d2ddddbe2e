// ProbeRequest: what we ask an app or a program to see whether it answers. One text, so that whoever reads an access log
// knows us by one name.
#ifndef CORE_HTTP_PROBE_REQUEST_H_
#define CORE_HTTP_PROBE_REQUEST_H_

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace uc::http {

// A whole request; the connection ends with its answer.
inline std::string ProbeRequest(absl::string_view path, absl::string_view host) {
  return absl::StrCat("GET ", path, " HTTP/1.1\r\nHost: ", host,
                      "\r\nUser-Agent: uring-cluster-probe\r\nConnection: close\r\n\r\n");
}

}  // namespace uc::http

#endif  // CORE_HTTP_PROBE_REQUEST_H_
