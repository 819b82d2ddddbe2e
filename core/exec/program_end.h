// ProgramEnd: how a program ended, from its wait status (waitpid(2)): told in words, and done alike, so that whoever
// waits for us sees what the program did.
#ifndef CORE_EXEC_PROGRAM_END_H_
#define CORE_EXEC_PROGRAM_END_H_

#include <string>

namespace uc::exec {

// "exited with code 3", "killed by SIGSEGV".
std::string EndText(int status);

// As the program ended: its exit code, for us to exit with; or does not return, for the same signal ends us.
int EndLike(int status);

}  // namespace uc::exec

#endif  // CORE_EXEC_PROGRAM_END_H_
