// Fakes at the seam between apps and the worker: they note what the app did.
#ifndef TESTS_APP_FAKES_H_
#define TESTS_APP_FAKES_H_

#include <unistd.h>

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/app/app.h"

namespace uc::app {

using OwnedHeaders = std::vector<std::pair<std::string, std::string>>;

// An exchange with one request; what is answered stands in its fields.
class FakeExchange final : public Exchange {
 public:
  FakeExchange(std::string method, std::string target, OwnedHeaders headers = {})
      : method_(std::move(method)), target_(std::move(target)), owned_(std::move(headers)) {
    for (const auto& [name, value] : owned_) headers_.push_back({name, value});
    request_.method = method_;
    request_.target = target_;
    request_.path = request_.target.substr(0, target_.find('?'));
    if (request_.path.size() < target_.size()) {
      request_.query = request_.target.substr(request_.path.size() + 1);
    }
    request_.headers = headers_;
  }

  const Request& request() const override { return request_; }
  void Send(const Response& response) override {
    Note(response);
    body = response.body;
  }
  void SendFile(const Response& response, int fd, uint64_t offset, uint64_t length) override {
    Note(response);
    from_file = true;
    body.resize(length);
    const ssize_t got = pread(fd, body.data(), length, static_cast<off_t>(offset));
    body.resize(got < 0 ? 0 : static_cast<size_t>(got));
    close(fd);
  }
  void Begin(const Response& head, uint64_t) override { Note(head); }
  bool Write(std::string_view bytes) override {
    body += bytes;
    return ++writes % 2 == 1;  // every second time more than enough is queued
  }
  void OnWritable(std::function<void(Exchange&)> writable) override {
    writable_ = std::move(writable);
  }
  void End() override { ended = true; }
  ExchangeId Defer() override {
    deferred = true;
    return 1;
  }
  void OnBody(std::function<void(Exchange&, std::string_view, bool)> callback) override {
    on_body = std::move(callback);
  }
  void PauseBody() override { paused = true; }
  void ResumeBody() override { paused = false; }
  void OnAbort(std::function<void()> callback) override { on_abort = std::move(callback); }
  std::string peer() const override { return "127.0.0.1:40122"; }

  // The queue has been sent: calls what the app wants called. False: it waits for nothing.
  bool BecomeWritable() {
    if (!writable_) return false;
    std::exchange(writable_, nullptr)(*this);
    return true;
  }

  // "" if the response has no such header.
  std::string header(std::string_view name) const {
    for (const auto& [own, value] : sent) {
      if (own == name) return value;
    }
    return {};
  }

  int answers = 0;
  int status = 0;
  int writes = 0;
  bool from_file = false;
  bool ended = false;
  bool deferred = false;
  bool paused = false;
  std::string content_type;
  std::string body;
  OwnedHeaders sent;
  std::function<void(Exchange&, std::string_view, bool)> on_body;
  std::function<void()> on_abort;

 private:
  void Note(const Response& response) {
    ++answers;
    status = response.status;
    content_type = response.content_type;
    for (const Header& each : response.headers) {
      sent.emplace_back(std::string(each.name), std::string(each.value));
    }
  }

  std::string method_;
  std::string target_;
  OwnedHeaders owned_;
  std::vector<Header> headers_;
  Request request_;
  std::function<void(Exchange&)> writable_;
};

// A worker's context: slot 3, generation 7.
class FakeContext final : public Context {
 public:
  uint32_t slot() const override { return 3; }
  uint32_t generation() const override { return 7; }
  std::span<const std::string> arguments() const override { return {}; }
  void Post(std::function<void()> work) override {
    const std::lock_guard lock(mutex_);
    posted_.push_back(std::move(work));
    changed_.notify_one();
  }
  void After(std::chrono::milliseconds, std::function<void()> work) override {
    Post(std::move(work));
  }
  Exchange* Find(ExchangeId id) override { return id == 1 ? waiting : nullptr; }
  void Log(std::string_view line) override { logged += std::string(line) + "\n"; }

  // Waits for work of another thread and runs it. False: none came in ten seconds.
  bool RunPosted() {
    std::unique_lock lock(mutex_);
    const auto any = [this] { return !posted_.empty(); };
    if (!changed_.wait_for(lock, std::chrono::seconds(10), any)) return false;
    const std::function<void()> work = std::move(posted_.front());
    posted_.pop_front();
    lock.unlock();
    work();
    return true;
  }

  Exchange* waiting = nullptr;  // the exchange with id 1
  std::string logged;

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> posted_;
};

// A TCP connection whose peer reads nothing until Drain().
class FakeStream final : public Stream {
 public:
  explicit FakeStream(size_t queue_max) : queue_max_(queue_max) {}

  bool Write(std::string_view bytes) override {
    queued += bytes;
    return queued.size() < queue_max_;
  }
  void Close() override { closed = true; }
  void Pause() override { paused = true; }
  void Resume() override { paused = false; }
  std::string peer() const override { return "127.0.0.1:40122"; }

  // The peer reads all that is queued.
  std::string Drain() { return std::exchange(queued, {}); }

  std::string queued;
  bool paused = false;
  bool closed = false;

 private:
  const size_t queue_max_;
};

}  // namespace uc::app

#endif  // TESTS_APP_FAKES_H_
