// Tree: a temporary directory with files, gone at the end of its life.
#ifndef TESTS_APP_TREE_H_
#define TESTS_APP_TREE_H_

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <ctime>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

namespace uc::app {

class Tree {
 public:
  Tree() {
    const char* const base = getenv("TEST_TMPDIR");
    root_ = std::string(base != nullptr ? base : "/tmp") + "/tree.XXXXXX";
    if (mkdtemp(root_.data()) == nullptr) abort();
    chmod(root_.c_str(), 0755);
  }
  ~Tree() {
    std::error_code ignored;
    std::filesystem::remove_all(root_, ignored);
  }
  Tree(const Tree&) = delete;
  Tree& operator=(const Tree&) = delete;

  const std::string& root() const { return root_; }
  std::string Path(std::string_view name) const { return root_ + "/" + std::string(name); }

  // Directories on the way are made.
  std::string Write(std::string_view name, std::string_view text) {
    const std::string path = Path(name);
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
    std::ofstream(path, std::ios::binary) << text;
    return path;
  }
  std::string MakeDirectory(std::string_view name) {
    std::filesystem::create_directories(Path(name));
    return Path(name);
  }
  // `target` as it is to stand in the link.
  void Link(std::string_view name, const std::string& target) {
    std::filesystem::create_symlink(target, Path(name));
  }
  void Touch(std::string_view name, std::time_t seconds, long nanos = 0) {
    const timespec times[2] = {{seconds, nanos}, {seconds, nanos}};
    utimensat(AT_FDCWD, Path(name).c_str(), times, 0);
  }

 private:
  std::string root_;
};

}  // namespace uc::app

#endif  // TESTS_APP_TREE_H_
