// Question: a request of ours to the program behind a front, on a connection of its own: is anybody there?
//
// Any answer will do, also one that says that something is wrong: that is the operator's affair. It is looked at now and
// then, and wakes nobody.
#ifndef CORE_FRONT_QUESTION_H_
#define CORE_FRONT_QUESTION_H_

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"
#include "core/base/fd.h"
#include "core/front/endpoint.h"

namespace uc::front {

class Question {
 public:
  Question(absl::string_view path, absl::string_view host);

  // Puts it from now on. One that was put before is given up.
  void Put();
  // Connects, sends, reads, as far as it goes without waiting; once more where nobody took it. True: it is answered, or
  // the program has closed the connection; once for each Put(). What follows the answer's first bytes is read and
  // dropped, so that the program can end as it is used to.
  bool Look(const Endpoint& program);

 private:
  bool Send();
  void Drop();

  const std::string text_;
  Fd fd_;
  size_t sent_ = 0;
  bool open_ = false;  // it waits for its answer
};

}  // namespace uc::front

#endif  // CORE_FRONT_QUESTION_H_
