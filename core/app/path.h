// Path: from the path of a request to a name below a root, and back. PURE.
//
// Invariant of a resolved path: relative, no empty, "." or ".." segment, no NUL. It is decoded exactly
// once. Dot segments are resolved by the text, as clients do (RFC 3986 5.2.4); symbolic links are the
// document root's affair. Decisions:
//   * "%2F" names nothing (404): no file has a slash in its name, and taking it for a separator would let
//     "/private%2Fkey" pass a proxy that guards "/private/".
//   * A backslash is a byte like any other. Repeated slashes count as one.
#ifndef CORE_APP_PATH_H_
#define CORE_APP_PATH_H_

#include <string>
#include <string_view>

namespace uc::app {

// Whether names that begin with a dot are served.
enum class Dotfiles { kHidden, kShown };

struct ResolvedPath {
  enum class Kind {
    kName,       // `relative` is what was asked for: a file, or a directory without its slash
    kDirectory,  // a directory was asked for: the path ended in a slash, "." or ".."
    kNowhere,    // 404: above the root, or a slash inside a name
    kMalformed,  // 400: not a path, a bad percent-encoding, a NUL
  };
  Kind kind = Kind::kMalformed;
  std::string relative;  // "a/b"; empty for the root itself
};

// `path`: a request target up to '?', in origin form ("/a/b") or absolute form ("http://host/a/b").
ResolvedPath ResolvePath(std::string_view path);

// A name in it begins with a dot: of what was not meant for the world (.git, .env). ".well-known" is (RFC 8615).
bool HasDotfile(std::string_view relative);

// The inverse, for Location: "/" and the percent-encoded `relative`. Begins with exactly one slash and no
// backslash, so that no browser takes it for "//another.host".
std::string EncodePath(std::string_view relative);

}  // namespace uc::app

#endif  // CORE_APP_PATH_H_
