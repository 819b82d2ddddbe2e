#include "core/app/path.h"

namespace uc::app {
namespace {

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// RFC 9112 3.2.2: an origin server must take the absolute form as well. Whose authority it names is not
// our question.
std::string_view WithoutAuthority(std::string_view path) {
  if (!path.empty() && path.front() == '/') return path;
  const size_t scheme = path.find("://");
  if (scheme == std::string_view::npos) return {};
  std::string name(path.substr(0, scheme));
  for (char& c : name) c = static_cast<char>(c | 0x20);
  if (name != "http" && name != "https") return {};
  path.remove_prefix(scheme + 3);
  const size_t root = path.find('/');
  return root == std::string_view::npos ? std::string_view("/") : path.substr(root);
}

using Kind = ResolvedPath::Kind;

// Decodes one segment into *out. kName: fine.
Kind DecodeSegment(std::string_view segment, std::string* out) {
  Kind verdict = Kind::kName;
  for (size_t i = 0; i < segment.size(); ++i) {
    char c = segment[i];
    if (c == '%') {
      if (i + 2 >= segment.size()) return Kind::kMalformed;
      const int high = HexDigit(segment[i + 1]);
      const int low = HexDigit(segment[i + 2]);
      if (high < 0 || low < 0) return Kind::kMalformed;
      c = static_cast<char>(high * 16 + low);
      i += 2;
    }
    if (c == '\0') return Kind::kMalformed;
    if (c == '/') verdict = Kind::kNowhere;
    out->push_back(c);
  }
  return verdict;
}

// Takes the last segment off. False: there is none.
bool Ascend(std::string* relative) {
  if (relative->empty()) return false;
  const size_t slash = relative->rfind('/');
  relative->resize(slash == std::string::npos ? 0 : slash);
  return true;
}

}  // namespace

ResolvedPath ResolvePath(std::string_view path) {
  path = WithoutAuthority(path);
  if (path.empty()) return {};
  ResolvedPath resolved;
  resolved.relative.reserve(path.size());
  resolved.kind = Kind::kDirectory;
  bool nowhere = false;  // a malformed path is 400 wherever its fault is
  std::string segment;
  while (!path.empty()) {
    path.remove_prefix(1);  // the slash
    const size_t end = path.find('/');
    segment.clear();
    const Kind verdict = DecodeSegment(path.substr(0, end), &segment);
    if (verdict == Kind::kMalformed) return {};
    nowhere = nowhere || verdict == Kind::kNowhere;
    path.remove_prefix(end == std::string_view::npos ? path.size() : end);
    resolved.kind = Kind::kDirectory;
    if (segment.empty() || segment == ".") continue;
    if (segment == "..") {
      nowhere = !Ascend(&resolved.relative) || nowhere;
      continue;
    }
    if (!resolved.relative.empty()) resolved.relative.push_back('/');
    resolved.relative += segment;
    resolved.kind = Kind::kName;
  }
  if (nowhere) return {.kind = Kind::kNowhere};
  return resolved;
}

bool HasDotfile(std::string_view relative) {
  constexpr std::string_view kWellKnown = ".well-known";
  for (size_t dot = relative.find('.'); dot != std::string_view::npos;
       dot = relative.find('.', dot + 1)) {
    if (dot != 0 && relative[dot - 1] != '/') continue;
    const std::string_view rest = relative.substr(dot);
    if (rest.substr(0, rest.find('/')) != kWellKnown) return true;
  }
  return false;
}

std::string EncodePath(std::string_view relative) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  constexpr std::string_view kKept = "/-._~!$&'()*+,;=:@";  // RFC 3986 3.3: pchar
  std::string encoded = "/";
  for (const char c : relative) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (plain || kKept.find(c) != std::string_view::npos) {
      encoded.push_back(c);
    } else {
      const auto byte = static_cast<unsigned char>(c);
      encoded.push_back('%');
      encoded.push_back(kDigits[byte >> 4]);
      encoded.push_back(kDigits[byte & 15]);
    }
  }
  return encoded;
}

}  // namespace uc::app
