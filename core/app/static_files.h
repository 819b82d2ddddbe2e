// StaticFiles: GET and HEAD of the files below one directory, in constant memory, bytes by sendfile.
//
// One request = a look and an opening (document_root.h), or one fstatat for a small file that is kept in memory
// (file_cache.h): a change is seen by the next request.
// Names that begin with a dot are 404, but ".well-known", unless they are asked for: a deploy often leaves .git and
// .env behind. A link with another name that leads to one is the operator's word, and served.
// Entity-tags are strong and made of the modification time (ns) and the size: both survive copying the
// tree to another machine (rsync -a), so hosts behind one name agree; an inode number would not. Two
// changes of equal length within one clock tick of the file system go unseen: replace files by rename.
// A directory is served by its index.html; there are no listings. Refused: precompressed variants and
// multipart ranges; types beyond the fixed table of mime.h.
#ifndef CORE_APP_STATIC_FILES_H_
#define CORE_APP_STATIC_FILES_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "core/app/app.h"
#include "core/app/document_root.h"
#include "core/app/file_cache.h"
#include "core/app/path.h"
#include "core/http/writer.h"

namespace uc::app {

class StaticFiles final : public App {
 public:
  explicit StaticFiles(std::string directory, Dotfiles dotfiles = Dotfiles::kHidden)
      : directory_(std::move(directory)), dotfiles_(dotfiles) {}

  Options options() const override { return {.body_mode = BodyMode::kStreamed}; }
  // Throws if the directory cannot be served.
  void Start(Context& context) override;
  void Handle(Exchange& exchange) override;

 private:
  // What is to be sent of a file, and where its bytes are.
  struct Content {
    uint64_t size;
    absl::Time modified;
    std::string_view etag;
    std::string_view bytes;  // if there is no `fd`
    Fd fd;
  };
  void ServeFile(Exchange& exchange, const std::string& relative, Document document);
  void Serve(Exchange& exchange, std::string_view relative, Content content);

  const std::string directory_;
  const Dotfiles dotfiles_;
  std::optional<DocumentRoot> root_;  // from Start on
  FileCache cache_;
  http::DateCache last_modified_;
};

}  // namespace uc::app

#endif  // CORE_APP_STATIC_FILES_H_
