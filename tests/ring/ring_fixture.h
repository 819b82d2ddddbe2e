// RingTest: a ring at each level of kernel, real loopback sockets, and a few words to tell stories
// with.
#ifndef TESTS_RING_RING_FIXTURE_H_
#define TESTS_RING_RING_FIXTURE_H_

#include <cstdint>
#include <deque>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "core/base/fd.h"
#include "core/ring/ring.h"
#include "gtest/gtest.h"

namespace uc::ring {

// A completion whose bytes were copied and whose buffer was given back.
struct Seen {
  Tag tag;
  int32_t result = 0;
  bool more = false;
  std::string data;
};

// Two ends of a TCP connection over 127.0.0.1; both block.
struct Pair {
  Fd near;  // the ring's
  Fd far;   // the peer's
};

class RingTest : public testing::TestWithParam<RingOptions::Level> {
 protected:
  RingTest();
  ~RingTest() override;

  Ring& ring() { return *ring_; }
  // A ring anew, with other options; the level stays.
  void Restart(RingOptions options);

  // Turns until a completion of `tag` is there; those of others wait for their own Await().
  Seen Await(Tag tag);
  // Turns until a completion of `tag` is there that says that it was the last one.
  Seen AwaitLast(Tag tag);
  // What the tag's completions bring, up to `size` bytes; armed again whenever it is disarmed.
  std::string Receive(int fd, Tag tag, size_t size);

  static Fd Listen(int flags = 0);
  static Fd ConnectTo(const Fd& listener);
  static Pair Connect();
  // Only what the socket takes at once.
  static void Say(const Fd& fd, absl::string_view text);

  RingOptions options_;

 private:
  std::unique_ptr<Ring> ring_;
  std::deque<Seen> seen_;
};

inline constexpr RingOptions::Level kLevels[] = {
    RingOptions::Level::kBest, RingOptions::Level::kNoDeferTaskrun,
    RingOptions::Level::kPlainBuffers, RingOptions::Level::kOldest};

std::string LevelName(RingOptions::Level level);

inline std::string NameOfLevel(const testing::TestParamInfo<RingOptions::Level>& info) {
  return LevelName(info.param);
}

}  // namespace uc::ring

#endif  // TESTS_RING_RING_FIXTURE_H_
