// ExecVector: texts as exec(3) and posix_spawn(3) want them.
#ifndef CORE_BASE_EXEC_VECTOR_H_
#define CORE_BASE_EXEC_VECTOR_H_

#include <string>
#include <vector>

namespace uc {

// Pointers into `texts`, which have to outlive them, and a null pointer at the end.
inline std::vector<char*> ExecVector(const std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (const std::string& text : texts) pointers.push_back(const_cast<char*>(text.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

}  // namespace uc

#endif  // CORE_BASE_EXEC_VECTOR_H_
