// AbstractName: an abstract UNIX socket's address (unix(7)) from its name, written with a leading '@'.
#ifndef CORE_EXEC_ABSTRACT_NAME_H_
#define CORE_EXEC_ABSTRACT_NAME_H_

#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <string>

#include "core/base/check.h"

namespace uc::exec {

class AbstractName {
 public:
  explicit AbstractName(const std::string& name) {
    UC_CHECK(name.size() < sizeof(address_.sun_path) && name[0] == '@');
    address_.sun_family = AF_UNIX;
    memcpy(address_.sun_path, name.data(), name.size());
    address_.sun_path[0] = '\0';
    size_ = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
  }
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&address_); }
  socklen_t size() const { return size_; }

 private:
  sockaddr_un address_ = {};
  socklen_t size_ = 0;
};

}  // namespace uc::exec

#endif  // CORE_EXEC_ABSTRACT_NAME_H_
