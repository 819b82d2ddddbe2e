// FieldBlock: the field lines of the last head that was found good, as the pattern of the next one.
//
// Clients repeat themselves: on a kept connection most lines are those of the request before, and behind a proxy that
// traces one or two values differ. What is the same, byte for byte and in the same place, is not read again; of a line
// with another value only the value is looked at. A field that says where the body ends is never taken like this
// with another value: that, and whatever else is not quite so, is left to a reading from the beginning.
#ifndef CORE_HTTP_FIELD_BLOCK_H_
#define CORE_HTTP_FIELD_BLOCK_H_

#include <cstddef>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "core/http/fault.h"
#include "core/http/message.h"

namespace uc::http {

class FieldBlock {
 public:
  // `lines`: of a complete head that a HeadScan has let pass, from the CRLF of its request line to its end. A fault
  // leaves no pattern.
  Fault Read(absl::string_view lines, size_t fields_max);
  // If `input` begins with lines of that kind: how many bytes they are, and fields() are theirs. 0: not so, or not
  // to be known without reading; fields() are as before.
  size_t Take(absl::string_view input);

  // Views into memory of this object; until the next Read, Take or Forget.
  absl::Span<const Field> fields() const { return fields_; }
  // No pattern any more: the lines were bad in a way that Read() does not see.
  void Forget() { bytes_.clear(); }
  // The memory goes, too, if an unusual head has made it large.
  void Trim(size_t bytes_kept, size_t fields_kept);

 private:
  size_t TakeAlmost(absl::string_view input);

  std::string bytes_;  // empty: there is no pattern
  std::vector<Field> fields_;
};

}  // namespace uc::http

#endif  // CORE_HTTP_FIELD_BLOCK_H_
