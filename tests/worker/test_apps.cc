#include "tests/worker/test_apps.h"

#include <fcntl.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <thread>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "tests/worker/stage.h"

namespace uc::worker {
namespace {

constexpr uint64_t kPieceBytes = 16 * 1024;

uint64_t Number(std::string_view text) {
  return std::strtoull(std::string(text).c_str(), nullptr, 10);
}

// Writes `left` bytes as long as they are welcome, then asks to be called again.
void WriteOn(app::Exchange& exchange, uint64_t left) {
  const std::string piece(kPieceBytes, 's');
  while (left > 0) {
    const uint64_t size = std::min(left, kPieceBytes);
    left -= size;
    if (!exchange.Write(std::string_view(piece).substr(0, size)) && left > 0) {
      exchange.OnWritable([left](app::Exchange& again) { WriteOn(again, left); });
      return;
    }
  }
  exchange.End();
}

}  // namespace

void Actor::Start(app::Context& context) {
  context_ = &context;
  Note("start");
}
void Actor::Drain(app::Context&) { Note("drain"); }
void Actor::Stop(app::Context&) { Note("stop"); }

void Actor::Stream(app::Exchange& exchange, uint64_t size, bool announced) {
  exchange.OnAbort([] { Note("abort"); });
  exchange.Begin({}, announced ? size : app::Exchange::kUnknownLength);
  WriteOn(exchange, size);
}

void Actor::SendFile(app::Exchange& exchange, const std::string& words) {
  const std::vector<std::string> part = absl::StrSplit(words, ',');
  const int fd = open(part[0].c_str(), O_RDONLY | O_CLOEXEC);
  exchange.SendFile({.content_type = "application/octet-stream"}, fd, Number(part[1]),
                    Number(part[2]));
}

void Actor::Defer(app::Exchange& exchange, uint64_t milliseconds) {
  const app::ExchangeId id = exchange.Defer();
  exchange.OnAbort([] { Note("abort"); });
  context_->After(std::chrono::milliseconds(milliseconds), [this, id] {
    app::Exchange* found = context_->Find(id);
    Note(found != nullptr ? "found" : "gone");
    if (found != nullptr) found->Send({.body = found->request().path});
  });
}

void Actor::Throw(app::Exchange& exchange, bool late) {
  if (late) {
    exchange.Begin({});
    exchange.Write("a beginning");
  }
  throw std::runtime_error("on purpose");
}

void Actor::Handle(app::Exchange& exchange) {
  const app::Request& request = exchange.request();
  const std::string_view path = request.path;
  const uint64_t number = Number(request.query);
  if (path == "/hello") return exchange.Send({.body = "hello"});
  if (path == "/echo") return exchange.Send({.body = request.body});
  if (path == "/size") return exchange.Send({.body = std::string(number, 'v')});
  if (path == "/stream" || path == "/known") return Stream(exchange, number, path == "/known");
  if (path == "/file") return SendFile(exchange, std::string(request.query));
  if (path == "/throw" || path == "/throw-late") return Throw(exchange, path == "/throw-late");
  if (path == "/defer") return Defer(exchange, number);
  if (path == "/short") {
    exchange.Begin({}, 10);
    exchange.Write("abc");
    return exchange.End();
  }
  if (path == "/never") {
    exchange.Defer();
    return exchange.OnAbort([] { Note("abort"); });
  }
  if (path == "/post") {
    std::thread([this, id = exchange.Defer()] {
      context_->Post([this, id] {
        if (app::Exchange* found = context_->Find(id)) found->Send({.body = "posted"});
      });
    }).detach();
    return;
  }
  if (path == "/flood") {
    exchange.Begin({});
    const std::string piece(1 << 20, 'f');
    for (uint64_t i = 0; i < number; ++i) exchange.Write(piece);
    return exchange.End();
  }
  if (path == "/silent") return;
  exchange.Send({.status = 404, .body = "no such scene"});
}

void Taker::Handle(app::Exchange& exchange) {
  const std::string path(exchange.request().path);
  if (path == "/early") return exchange.Send({.body = "early"});
  if (path == "/resume") {
    if (app::Exchange* found = context_->Find(paused_)) found->ResumeBody();
    return exchange.Send({.body = "resumed"});
  }
  if (path == "/unread") {
    context_->After(std::chrono::milliseconds(100), [this, id = exchange.Defer()] {
      if (app::Exchange* found = context_->Find(id)) found->Send({.body = "unread"});
    });
    return;
  }
  if (path == "/rebind") {
    auto marker = std::make_shared<std::string>("first, ");
    exchange.OnBody([marker](app::Exchange& present, std::string_view, bool last) {
      if (last) return present.Send({.body = "unreplaced"});
      present.OnBody([](app::Exchange& next, std::string_view, bool last_now) {
        if (last_now) next.Send({.body = "second"});
      });
      marker->append("still mine");
    });
    return;
  }
  if (path == "/short") {
    exchange.Begin({}, 10);
    auto marker = std::make_shared<std::string>("abc");
    exchange.OnBody([marker](app::Exchange& present, std::string_view, bool) {
      present.Write(*marker);
      present.End();
      marker->append("still mine");
    });
    return;
  }
  if (path == "/pause") {
    paused_ = exchange.Defer();
    exchange.PauseBody();
  }
  auto total = std::make_shared<uint64_t>(0);
  exchange.OnBody([path, total](app::Exchange& present, std::string_view piece, bool last) {
    *total += piece.size();
    if (path == "/throw") throw std::runtime_error("on purpose");
    if (last && path != "/mute") present.Send({.body = absl::StrCat(*total)});
  });
}

void Talker::OnOpen(app::Stream& stream) {
  Note("open");
  stream.Write("welcome\n");
}

void Talker::OnBytes(app::Stream& stream, std::string_view bytes) {
  if (bytes == "throw") throw std::runtime_error("on purpose");
  if (bytes == "bye") return stream.Close();
  stream.Write(bytes);
}

void Talker::OnEnd(app::Stream& stream) {
  Note("end");
  stream.Close();
}

void Talker::OnClose(app::Stream&) { Note("close"); }

void Fountain::OnWritable(app::Stream& stream) {
  const std::string piece(64 * 1024, 'w');
  while (stream.Write(piece)) {
  }
}

void Fountain::OnClose(app::Stream&) { Note("close"); }

}  // namespace uc::worker
