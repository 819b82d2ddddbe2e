// ByteSizeFlag: a flag's number of bytes as PM2 writes it: "10M", "512K", "1G", or plain bytes.
#ifndef TOOLS_BYTE_SIZE_H_
#define TOOLS_BYTE_SIZE_H_

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace uc::tools {

struct ByteSizeFlag {
  int64_t value = 0;  // bytes, never negative
};
bool AbslParseFlag(absl::string_view text, ByteSizeFlag* flag, std::string* error);
std::string AbslUnparseFlag(const ByteSizeFlag& flag);

}  // namespace uc::tools

#endif  // TOOLS_BYTE_SIZE_H_
