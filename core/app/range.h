// Range: which bytes of a representation a Range field asks for (RFC 9110 14). PURE.
//
// One range or none: a request for several gets the whole (RFC 9110 14.2 lets a server ignore Range), so
// nobody can make us send overlapping pieces many times over. Malformed fields are ignored as well.
#ifndef CORE_APP_RANGE_H_
#define CORE_APP_RANGE_H_

#include <cstdint>
#include <string_view>

namespace uc::app {

struct ByteRange {
  enum class Kind {
    kWhole,          // 200: no range that we serve
    kPart,           // 206: `length` bytes from `offset`; length > 0
    kUnsatisfiable,  // 416: well-formed, but outside of the representation
  };
  Kind kind = Kind::kWhole;
  uint64_t offset = 0;
  uint64_t length = 0;
};

// `field` is the value of a Range field; `size` the bytes of the whole.
ByteRange ChooseRange(std::string_view field, uint64_t size);

}  // namespace uc::app

#endif  // CORE_APP_RANGE_H_
