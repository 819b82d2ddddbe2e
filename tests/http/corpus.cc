#include "tests/http/corpus.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "core/base/check.h"

namespace uc::http {
namespace {

// Bazel and runs by hand both start at the root of the checkout.
constexpr char kFolder[] = "tests/http/corpus/";

std::string ReadFile(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  UC_CHECK(file.good());
  return std::string(std::istreambuf_iterator<char>(file), {});
}

int HexDigit(char c) {
  const size_t at = absl::string_view("0123456789abcdef").find(c);
  UC_CHECK(at != absl::string_view::npos);
  return static_cast<int>(at);
}

// `text` begins behind "\{"; takes it up to and with '}'.
std::string TakeRepeated(absl::string_view* text) {
  const size_t star = text->find('*');
  const size_t end = text->find('}');
  UC_CHECK(star < end && end != absl::string_view::npos);
  size_t count = 0;
  UC_CHECK(absl::SimpleAtoi(text->substr(0, star), &count));
  const std::string once = Unescape(text->substr(star + 1, end - star - 1));
  text->remove_prefix(end + 1);
  std::string all;
  while (count-- > 0) all += once;
  return all;
}

// `text` begins behind a backslash.
std::string TakeEscape(absl::string_view* text) {
  UC_CHECK(!text->empty());
  const char letter = text->front();
  text->remove_prefix(1);
  switch (letter) {
    case 'r':
      return "\r";
    case 'n':
      return "\n";
    case 't':
      return "\t";
    case '0':
      return std::string(1, '\0');
    case '\\':
      return "\\";
    case 'x': {
      UC_CHECK(text->size() >= 2);
      const int byte = HexDigit((*text)[0]) * 16 + HexDigit((*text)[1]);
      text->remove_prefix(2);
      return std::string(1, static_cast<char>(byte));
    }
    case '{':
      return TakeRepeated(text);
    default:
      UC_CHECK(!"unknown escape");
  }
  return "";
}

std::vector<std::filesystem::path> HttpFiles(const char* kind) {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(absl::StrCat(kFolder, kind))) {
    if (entry.path().extension() == ".http") paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

}  // namespace

std::string Unescape(absl::string_view text) {
  std::string bytes;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    if (absl::StartsWith(line, "#")) continue;
    while (!line.empty()) {
      if (absl::ConsumePrefix(&line, "\\")) {
        bytes += TakeEscape(&line);
      } else {
        bytes += line.front();
        line.remove_prefix(1);
      }
    }
  }
  return bytes;
}

std::string Escape(absl::string_view bytes) {
  std::string text;
  for (char c : bytes) {
    const unsigned char byte = static_cast<unsigned char>(c);
    if (c == '\\') {
      text += "\\\\";
    } else if (c == '\r') {
      text += "\\r";
    } else if (c == '\n') {
      text += "\\n";
    } else if (byte >= 0x20 && byte < 0x7f) {
      text += c;
    } else {
      absl::StrAppend(&text, "\\x", absl::Hex(byte, absl::kZeroPad2));
    }
  }
  return text;
}

std::vector<Case> ValidCases() {
  std::vector<Case> cases;
  for (std::filesystem::path path : HttpFiles("valid")) {
    const std::string name = path.stem().string();
    const std::string bytes = Unescape(ReadFile(path));
    cases.push_back({name, bytes, ReadFile(path.replace_extension(".expect"))});
  }
  return cases;
}

std::vector<Case> InvalidCases() {
  std::vector<Case> cases;
  for (const std::filesystem::path& path : HttpFiles("invalid")) {
    const std::string text = ReadFile(path);
    absl::string_view claim = absl::string_view(text).substr(0, text.find('\n'));
    UC_CHECK(absl::ConsumePrefix(&claim, "# "));
    cases.push_back({path.stem().string(), Unescape(text), std::string(claim)});
  }
  return cases;
}

}  // namespace uc::http
