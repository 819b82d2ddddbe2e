// Client: drives one server with one kind of work, closed loop, in windows; checks every answer.
//
// On epoll, not on our ring, and with as little as possible between two system calls: it must not be what
// limits. An answer is compared byte by byte with the first one, but for its Date.
#ifndef BENCHMARKS_PAIRED_CLIENT_H_
#define BENCHMARKS_PAIRED_CLIENT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "benchmarks/paired/work.h"
#include "core/base/fd.h"

namespace uc::paired {

class Client {
 public:
  // Opens the connections and learns what the answer is: it must be a 200 with a Content-Length.
  static absl::StatusOr<Client> Open(const Work& work, uint16_t port);

  // Works for so long, then takes the answers that are still to come: at its return nothing is under way.
  // The number of right answers; an error for a wrong one, for a connection that ends, and for silence.
  absl::StatusOr<int64_t> Window(absl::Duration length);

  const std::string& answer_head() const { return head_; }
  size_t answer_bytes() const { return head_.size() + body_.size(); }

 private:
  struct Connection {
    Fd fd;
    int asked = 0;     // answers still to come
    size_t taken = 0;  // bytes of the first of them
  };

  Client(const Work& work, uint16_t port);
  absl::Status Learn();
  absl::StatusOr<Fd> Connect();
  absl::Status Begin(size_t index);
  absl::Status Ask(Connection& connection, int requests);
  // Gives each of the next requests an id that none before had.
  void Number(int requests);
  // Reads what there is; adds complete answers to *done.
  absl::Status Read(Connection& connection, int64_t* done);
  absl::Status Compare(const Connection& connection, const char* bytes, size_t size) const;
  bool Busy() const { return under_way_ > 0; }

  Work work_;
  uint16_t port_;
  std::string requests_;  // `depth` of them
  size_t request_bytes_;
  size_t id_at_ = 0;  // where a traced request's id is
  uint64_t last_id_ = 0;
  std::string head_;  // of the answer that is expected
  std::string body_;
  size_t date_ = 0;  // where the Date's value is in head_; 0: none
  Fd epoll_;
  std::vector<Connection> connections_;
  std::vector<char> buffer_;
  int64_t under_way_ = 0;
  uint32_t sources_ = 0;
};

}  // namespace uc::paired

#endif  // BENCHMARKS_PAIRED_CLIENT_H_
