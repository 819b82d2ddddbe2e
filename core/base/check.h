// UC_CHECK: a statement about ourselves that stays on in release builds.
//
// Only for the impossible (own tables inconsistent). What the operator or the world may do wrong is
// an absl::Status or a counter, never a check. A failed check prints one line and aborts: a worker is
// restarted by its coordinator, and workers go on serving when their coordinator dies.
#ifndef CORE_BASE_CHECK_H_
#define CORE_BASE_CHECK_H_

namespace uc {

// Prints "file:line: check failed: condition" to stderr and aborts. Async-signal-safe.
[[noreturn, gnu::cold]] void CheckFailed(const char* file, int line, const char* condition);

}  // namespace uc

#define UC_CHECK(condition)                          \
  (__builtin_expect(static_cast<bool>(condition), 1) \
       ? static_cast<void>(0)                        \
       : ::uc::CheckFailed(__FILE__, __LINE__, #condition))

#endif  // CORE_BASE_CHECK_H_
