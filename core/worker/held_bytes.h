// HeldBytes: what a peer has sent and nobody has taken yet: added at the end, taken from the front. PURE.
//
// Taking moves nothing: who takes a request at a time out of 64 KB of them would copy the rest for each.
#ifndef CORE_WORKER_HELD_BYTES_H_
#define CORE_WORKER_HELD_BYTES_H_

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"

namespace uc::worker {

class HeldBytes {
 public:
  absl::string_view view() const { return absl::string_view(text_).substr(taken_); }
  size_t size() const { return text_.size() - taken_; }
  bool empty() const { return size() == 0; }

  void Append(absl::string_view bytes) {
    // As many bytes are moved as have been taken at most.
    if (taken_ >= text_.size() - taken_) {
      text_.erase(0, taken_);
      taken_ = 0;
    }
    text_.append(bytes.data(), bytes.size());
  }
  // All but the last `size` bytes are taken.
  void KeepLast(size_t size) { taken_ = text_.size() - size; }
  // Whether `bytes`, a part of view(), are its end.
  bool EndsWith(absl::string_view bytes) const {
    return !bytes.empty() && bytes.data() >= text_.data() + taken_ &&
           bytes.data() + bytes.size() == text_.data() + text_.size();
  }
  void Clear() {
    text_.clear();
    taken_ = 0;
  }

 private:
  std::string text_;
  size_t taken_ = 0;
};

}  // namespace uc::worker

#endif  // CORE_WORKER_HELD_BYTES_H_
