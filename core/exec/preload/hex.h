// Hexadecimal digits, in small letters. C-like, as protocol.h.
#ifndef CORE_EXEC_PRELOAD_HEX_H_
#define CORE_EXEC_PRELOAD_HEX_H_

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

namespace uc::exec {

// `out`: two digits for each of `size` bytes, and a NUL.
inline void WriteHex(const void* bytes, size_t size, char* out) {
  for (size_t i = 0; i < size; ++i) {
    snprintf(out + 2 * i, 3, "%02x", static_cast<const uint8_t*>(bytes)[i]);
  }
}

inline int HexValue(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

// Of `size` bytes; false: something else stands there, the end as well.
inline bool ReadHex(const char* text, size_t size, void* out) {
  for (size_t i = 0; i < size; ++i) {
    const int high = HexValue(text[2 * i]);
    const int low = high < 0 ? -1 : HexValue(text[2 * i + 1]);
    if (low < 0) return false;
    static_cast<uint8_t*>(out)[i] = static_cast<uint8_t>(high * 16 + low);
  }
  return true;
}

}  // namespace uc::exec

#endif  // CORE_EXEC_PRELOAD_HEX_H_
