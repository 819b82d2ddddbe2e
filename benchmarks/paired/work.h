// Work: what the client does with a server: how many connections, how deep, which target, new or kept ones.
#ifndef BENCHMARKS_PAIRED_WORK_H_
#define BENCHMARKS_PAIRED_WORK_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace uc::paired {

struct Work {
  enum class Connections {
    kKept,  // one after the other on the same connection
    kNew,   // one request, then the client closes it
  };
  std::string text;  // as given
  Connections kind = Connections::kKept;
  int connections = 1;
  int depth = 1;  // requests that are under way on one connection
  std::string target = "/";
  // Each request has an X-Request-Id of its own, as behind a proxy that traces: no two heads are alike.
  bool traced = false;

  // "keep-alive:64", "pipelined:64:16", "traced:64:1", "new:16", "get:8:/1m.bin".
  static absl::StatusOr<Work> Parse(absl::string_view text);
  // One request, with the fields that a usual client sends; of the same size, traced or not.
  std::string Request() const;
  static constexpr char kIdField[] = "X-Request-Id: ";
  static constexpr int kIdDigits = 16;
};

}  // namespace uc::paired

#endif  // BENCHMARKS_PAIRED_WORK_H_
