// Fd: sole owner of one file descriptor; closes it at the end of its life.
//
// Every descriptor of ours is opened with O_CLOEXEC (SOCK_CLOEXEC, MFD_CLOEXEC ...): what a child
// inherits is passed by an explicit list, never by accident.
#ifndef CORE_BASE_FD_H_
#define CORE_BASE_FD_H_

#include <utility>

namespace uc {

class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    if (this != &other) Reset(std::exchange(other.fd_, -1));
    return *this;
  }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  ~Fd() { Reset(); }

  bool valid() const { return fd_ >= 0; }
  // The raw number, still owned by this object; -1 if empty.
  int get() const { return fd_; }
  // Gives the descriptor up without closing it.
  [[nodiscard]] int Release() { return std::exchange(fd_, -1); }
  // Closes what is held and takes `fd`.
  void Reset(int fd = -1);
  // A second descriptor of the same open file, O_CLOEXEC; empty if there are none left (EMFILE).
  Fd Duplicate() const;

 private:
  int fd_ = -1;
};

}  // namespace uc

#endif  // CORE_BASE_FD_H_
