// Folder: a temporary directory of text files.
#ifndef TESTS_TOOLS_LOGS_FOLDER_H_
#define TESTS_TOOLS_LOGS_FOLDER_H_

#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

namespace uc::tools {

class Folder {
 public:
  Folder() {
    const char* const base = getenv("TEST_TMPDIR");
    root_ = std::string(base != nullptr ? base : "/tmp") + "/folder.XXXXXX";
    if (mkdtemp(root_.data()) == nullptr) abort();
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(root_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  const std::string& root() const { return root_; }
  std::string Path(const std::string& name) const { return root_ + "/" + name; }
  // Appends.
  void Write(const std::string& name, const std::string& text) const {
    std::ofstream(Path(name), std::ios::app) << text;
  }
  // "-" if it is not there.
  std::string Read(const std::string& name) const {
    std::ifstream file(Path(name));
    if (!file) return "-";
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
  }

 private:
  std::string root_;
};

}  // namespace uc::tools

#endif  // TESTS_TOOLS_LOGS_FOLDER_H_
