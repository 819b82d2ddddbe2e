#include "core/http/field_block.h"

#include <string.h>

#include <array>
#include <cstdint>

#include "core/http/find_control.h"
#include "core/http/framing.h"
#include "core/http/read_fields.h"
#include "core/http/syntax.h"

namespace uc::http {
namespace {

constexpr size_t kFieldsMax = 64;  // of a head that is taken with other values
constexpr size_t kLineEndBytes = 2;

bool BeginsWith(const char* at, const char* end, const char* pattern, size_t size) {
  return static_cast<size_t>(end - at) >= size && memcmp(at, pattern, size) == 0;
}

// Where the value that begins at `at` ends in CRLF; nullptr: it is empty, has white space around it or a tab in
// it, or its line is not complete.
const char* EndOfPlainValue(const char* at, const char* end) {
  const char* const cr = FindControl(at, end);
  if (end - cr < 2 || cr[0] != '\r' || cr[1] != '\n') return nullptr;
  return cr == at || IsWhite(*at) || IsWhite(cr[-1]) ? nullptr : cr;
}

}  // namespace

Fault FieldBlock::Read(absl::string_view lines, size_t fields_max) {
  bytes_.assign(lines.data(), lines.size());
  const Fault bad =
      ReadFields(absl::string_view(bytes_).substr(kLineEndBytes), fields_max, &fields_);
  if (bad) Forget();
  return bad;
}

size_t FieldBlock::Take(absl::string_view input) {
  if (bytes_.empty()) return 0;
  if (BeginsWith(input.data(), input.data() + input.size(), bytes_.data(), bytes_.size())) {
    return bytes_.size();
  }
  return TakeAlmost(input);
}

size_t FieldBlock::TakeAlmost(absl::string_view input) {
  struct Line {
    uint32_t bytes;
    uint32_t value_at;
    uint32_t value_bytes;
  };
  std::array<Line, kFieldsMax> lines;
  if (fields_.size() > kFieldsMax) return 0;
  const char* at = input.data();
  const char* const end = at + input.size();
  if (!BeginsWith(at, end, "\r\n", kLineEndBytes)) return 0;
  at += kLineEndBytes;
  for (size_t i = 0; i < fields_.size(); ++i) {
    const Field& known = fields_[i];
    const char* const line = known.name.data();
    const char* const next = i + 1 < fields_.size() ? fields_[i + 1].name.data()
                                                    : bytes_.data() + bytes_.size() - kLineEndBytes;
    const size_t value_at = static_cast<size_t>(known.value.data() - line);
    size_t bytes = static_cast<size_t>(next - line);
    size_t value_bytes = known.value.size();
    if (!BeginsWith(at, end, line, bytes)) {
      if (BearsOnFraming(known.name) || !BeginsWith(at, end, line, value_at)) return 0;
      const char* const value_end = EndOfPlainValue(at + value_at, end);
      if (value_end == nullptr) return 0;
      bytes = static_cast<size_t>(value_end - at) + kLineEndBytes;
      value_bytes = bytes - value_at - kLineEndBytes;
    }
    lines[i] = {static_cast<uint32_t>(bytes), static_cast<uint32_t>(value_at),
                static_cast<uint32_t>(value_bytes)};
    at += bytes;
  }
  // Every line began with a known name, so none is a continuation of the one before.
  if (!BeginsWith(at, end, "\r\n", kLineEndBytes)) return 0;
  at += kLineEndBytes;
  const size_t taken = static_cast<size_t>(at - input.data());
  bytes_.assign(input.data(), taken);
  const char* line = bytes_.data() + kLineEndBytes;
  for (size_t i = 0; i < fields_.size(); ++i) {
    fields_[i] = {absl::string_view(line, fields_[i].name.size()),
                  absl::string_view(line + lines[i].value_at, lines[i].value_bytes)};
    line += lines[i].bytes;
  }
  return taken;
}

void FieldBlock::Trim(size_t bytes_kept, size_t fields_kept) {
  if (bytes_.capacity() <= bytes_kept && fields_.capacity() <= fields_kept) return;
  std::string().swap(bytes_);
  std::vector<Field>().swap(fields_);
}

}  // namespace uc::http
