// ProcessUser: which user a process acts as, for a person who reads it.
#ifndef TOOLS_PROCESS_USER_H_
#define TOOLS_PROCESS_USER_H_

#include <string>

namespace uc::tools {

// "www (id 33)", "12345" without an account; empty: there is no such process.
std::string ProcessUser(int pid);

}  // namespace uc::tools

#endif  // TOOLS_PROCESS_USER_H_
