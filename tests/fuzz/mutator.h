// Mutator: makes an input out of a seed and of messages that are good or bad: the source of cases of the fuzzers.
#ifndef TESTS_FUZZ_MUTATOR_H_
#define TESTS_FUZZ_MUTATOR_H_

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace uc::http {

class Mutator {
 public:
  // The first `valid` of the seeds are valid messages. `morsels`: what breaks parsers, to be strewn in.
  Mutator(uint64_t seed, const std::vector<std::string>& seeds, size_t valid,
          absl::Span<const absl::string_view> morsels)
      : chance_(seed), seeds_(seeds), valid_(valid), morsels_(morsels) {}

  // Mostly one message that is valid but for a few bytes, sometimes behind a good one, which may be the one
  // that it was made of: what the parser knows of that must not matter.
  std::string Make() {
    const size_t seed = Below(Below(4) == 0 ? seeds_.size() : valid_);
    std::string bytes = seeds_[seed];
    for (size_t times = Below(2 + Below(4)); times-- > 0;) Mutate(&bytes);
    switch (Below(4)) {
      case 0:
        bytes.insert(0, seeds_[Below(valid_)]);
        break;
      case 1:
        if (seed < valid_) bytes.insert(0, seeds_[seed]);
        break;
      default:
        break;
    }
    if (bytes.size() > kBytesMax) bytes.resize(kBytesMax);
    return bytes;
  }

  size_t Below(size_t bound) { return static_cast<size_t>(chance_() % bound); }

 private:
  static constexpr size_t kBytesMax = 6 * 1024;

  void Mutate(std::string* bytes) {
    const size_t at = Below(bytes->size() + 1);
    const size_t some = Below(bytes->size() - at + 1);
    switch (Below(8)) {
      case 0:
        if (at < bytes->size()) (*bytes)[at] = static_cast<char>(Below(256));
        break;
      case 1:
        if (at < bytes->size()) (*bytes)[at] = static_cast<char>((*bytes)[at] ^ (1 << Below(8)));
        break;
      case 2:
        bytes->erase(at, 1 + Below(4));
        break;
      case 3:
        bytes->erase(at, some);
        break;
      case 4:
        bytes->insert(at, 1, static_cast<char>(Below(256)));
        break;
      case 5: {
        const absl::string_view morsel = morsels_[Below(morsels_.size())];
        bytes->insert(at, morsel.data(), morsel.size());
        break;
      }
      case 6:
        bytes->insert(at, bytes->substr(Below(bytes->size() + 1), 1 + Below(40)));
        break;
      case 7: {
        const std::string& other = seeds_[Below(seeds_.size())];
        bytes->replace(at, some, other.substr(Below(other.size() + 1)));
        break;
      }
    }
  }

  std::mt19937_64 chance_;
  const std::vector<std::string>& seeds_;
  const size_t valid_;
  const absl::Span<const absl::string_view> morsels_;
};

// A number of the environment.
inline uint64_t Setting(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  uint64_t value = 0;
  return text != nullptr && absl::SimpleAtoi(text, &value) ? value : otherwise;
}

}  // namespace uc::http

#endif  // TESTS_FUZZ_MUTATOR_H_
