// ReadSmallFile: the text of a file of one short line: a pid file, /proc/PID/comm.
#ifndef CORE_BASE_SMALL_FILE_H_
#define CORE_BASE_SMALL_FILE_H_

#include <string>

namespace uc {

// At most the first 64 bytes, without white space around them; "" if the file cannot be read.
std::string ReadSmallFile(const std::string& path);

}  // namespace uc

#endif  // CORE_BASE_SMALL_FILE_H_
