#include "core/app/static_files.h"

#include <algorithm>
#include <cstdint>
#include <span>
#include <stdexcept>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "core/app/conditional.h"
#include "core/app/methods.h"
#include "core/app/mime.h"
#include "core/app/range.h"
#include "core/http/ascii_target.h"
#include "core/http/message.h"

namespace uc::app {
namespace {

constexpr Header kNoSniff = {"X-Content-Type-Options", "nosniff"};
constexpr Header kOnlyNoSniff[] = {kNoSniff};

void Refuse(Exchange& exchange, int status, std::span<const Header> headers = kOnlyNoSniff) {
  const std::string body = absl::StrCat(status, " ", http::ReasonPhrase(status), "\n");
  exchange.Send({.status = status, .headers = headers, .body = body});
}

// The directory's own URL. Made from the resolved name, never from the client's bytes: "//other.host"
// and "/\other.host" must not leave this server.
void RedirectToDirectory(Exchange& exchange, std::string_view relative) {
  std::string location = EncodePath(relative) + "/";
  const std::string_view query = exchange.request().query;
  if (!query.empty()) location.append("?").append(http::AsciiTarget({query.data(), query.size()}));
  const Header headers[] = {{"Location", location}, kNoSniff};
  Refuse(exchange, 301, headers);
}

std::string EntityTag(const Document& document) {
  return absl::StrCat("\"", absl::Hex(absl::ToUnixNanos(document.modified)), "-",
                      absl::Hex(document.size), "\"");
}

// Whole seconds, and never later than the Date of the response (RFC 9110 8.8.2.1).
absl::Time LastModified(absl::Time modified) {
  return absl::FromUnixSeconds(absl::ToUnixSeconds(std::min(modified, absl::Now())));
}

// These bytes of the file, in memory or not.
void SendBytes(Exchange& exchange, const Response& head, std::string_view bytes, Fd fd,
               uint64_t offset, uint64_t length) {
  if (fd.valid()) return exchange.SendFile(head, fd.Release(), offset, length);
  Response response = head;
  response.body = bytes.substr(offset, length);
  exchange.Send(response);
}

std::string ContentRange(const ByteRange& range, uint64_t size) {
  switch (range.kind) {
    case ByteRange::Kind::kWhole:
      return {};
    case ByteRange::Kind::kUnsatisfiable:
      return absl::StrCat("bytes */", size);
    case ByteRange::Kind::kPart:
      return absl::StrCat("bytes ", range.offset, "-", range.offset + range.length - 1, "/", size);
  }
  return {};
}

}  // namespace

void StaticFiles::Start(Context& context) {
  auto root = DocumentRoot::Open(directory_);
  if (!root.ok()) throw std::runtime_error(std::string(root.status().message()));
  root_.emplace(*std::move(root));
  if (root_->resolution() == DocumentRoot::Resolution::kWalk) {
    context.Log("static: openat2 is not allowed here: symbolic links are not followed");
  }
  if (root_->opening() == DocumentRoot::Opening::kAtOnce) {
    context.Log(
        "static: /proc is not mounted: a FIFO in the directory is opened before it is refused");
  }
}

void StaticFiles::Handle(Exchange& exchange) {
  const Request& request = exchange.request();
  if (!IsGetOrHead(request.method)) return SendMethodNotAllowed(exchange);
  ResolvedPath path = ResolvePath(request.path);
  switch (path.kind) {
    case ResolvedPath::Kind::kMalformed:
      return Refuse(exchange, 400);
    case ResolvedPath::Kind::kNowhere:
      return Refuse(exchange, 404);
    case ResolvedPath::Kind::kDirectory:
      path.relative += path.relative.empty() ? "index.html" : "/index.html";
      break;
    case ResolvedPath::Kind::kName:
      break;
  }
  if (dotfiles_ == Dotfiles::kHidden && HasDotfile(path.relative)) return Refuse(exchange, 404);
  if (const FileCache::File* kept = cache_.Find(root_->fd().get(), path.relative)) {
    return Serve(exchange, path.relative,
                 {kept->bytes.size(), kept->modified, kept->etag, kept->bytes, Fd()});
  }
  Document document = root_->Find(path.relative);
  switch (document.found) {
    case Document::Found::kFile:
      return ServeFile(exchange, path.relative, std::move(document));
    case Document::Found::kDirectory:
      // A directory named index.html is no page.
      if (path.kind == ResolvedPath::Kind::kDirectory) return Refuse(exchange, 404);
      return RedirectToDirectory(exchange, path.relative);
    case Document::Found::kMissing:
      return Refuse(exchange, 404);
    case Document::Found::kForbidden:
      return Refuse(exchange, 403);
    case Document::Found::kExhausted: {
      constexpr Header kSoon[] = {{"Retry-After", "1"}, kNoSniff};
      return Refuse(exchange, 503, kSoon);
    }
    case Document::Found::kFailed:
      return Refuse(exchange, 500);
  }
}

void StaticFiles::ServeFile(Exchange& exchange, const std::string& relative, Document document) {
  const std::string etag = EntityTag(document);
  cache_.Keep(relative, document.fd.get(), etag, absl::Now());
  Serve(exchange, relative, {document.size, document.modified, etag, {}, std::move(document.fd)});
}

void StaticFiles::Serve(Exchange& exchange, std::string_view relative, Content content) {
  const Request& request = exchange.request();
  const absl::Time modified = LastModified(content.modified);
  const Condition condition =
      Evaluate(request.headers, {.etag = content.etag, .modified = modified});
  const Header tag = {"ETag", content.etag};
  switch (condition.verdict) {
    case Verdict::kServe:
      break;
    case Verdict::kNotModified:
      return exchange.Send({.status = 304, .content_type = {}, .headers = {&tag, 1}});
    case Verdict::kPreconditionFailed:
      return Refuse(exchange, 412);
  }
  // Range is defined for GET only (RFC 9110 14.2).
  const ByteRange range =
      request.method == "GET" ? ChooseRange(condition.range, content.size) : ByteRange();
  last_modified_.Set(modified);
  const std::string_view date(last_modified_.text().data(), last_modified_.text().size());
  const std::string content_range = ContentRange(range, content.size);
  const Header headers[] = {{"Content-Range", content_range},
                            kNoSniff,
                            tag,
                            {"Last-Modified", date},
                            {"Accept-Ranges", "bytes"}};
  const std::span<const Header> all(headers);
  const std::string_view type = MediaTypeOf(relative);
  switch (range.kind) {
    case ByteRange::Kind::kWhole:
      return SendBytes(exchange, {.content_type = type, .headers = all.subspan(1)}, content.bytes,
                       std::move(content.fd), 0, content.size);
    case ByteRange::Kind::kPart:
      return SendBytes(exchange, {.status = 206, .content_type = type, .headers = all},
                       content.bytes, std::move(content.fd), range.offset, range.length);
    case ByteRange::Kind::kUnsatisfiable:
      return Refuse(exchange, 416, all.first(2));
  }
}

}  // namespace uc::app
