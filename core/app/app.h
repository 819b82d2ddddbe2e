// The interface of native apps: what a shared object implements to be served by uring-cluster.
//
// Needs nothing but the C++20 standard library, so it can be copied into any project. Compile your app
// with `g++ -std=c++20 -O2 -fPIC -shared myapp.cc -o libmyapp.so`, end it with URING_CLUSTER_APP(MyApp),
// start it with `uring-cluster start ./libmyapp.so`. tools/examples/ has one of 20 lines.
//
// One worker process = one App object, called on one thread: no locks needed. Another thread of yours
// comes back through Context::Post. Views (string_view, span) given to you hold until your function
// returns, if nothing else is said; what you give us is copied before the call returns.
// An exception that leaves Handle costs its own request (500); one that leaves a TCP callback costs its
// connection; one that leaves Start is the reason why the worker refuses to start.
//
// The ABI version changes when any line of this file's classes changes; the loader refuses others.
#ifndef CORE_APP_APP_H_
#define CORE_APP_APP_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

namespace uc::app {

inline constexpr std::uint32_t kAbiVersion = 1;

struct Header {
  std::string_view name;
  std::string_view value;
};

// A request's head, and its body if the app takes bodies whole (BodyMode::kWhole).
struct Request {
  std::string_view method;  // "GET"
  std::string_view target;  // as sent: "/a%20b?c=d"
  std::string_view path;    // the target up to '?', not decoded
  std::string_view query;   // after '?', or empty
  int minor_version = 1;    // HTTP/1.<minor>
  std::span<const Header> headers;
  std::string_view body;  // BodyMode::kWhole only

  // The first header of that name in any case; a view with null data() if there is none.
  std::string_view header(std::string_view name) const;
};

struct Response {
  int status = 200;
  std::string_view content_type = "text/plain; charset=utf-8";  // empty: none is sent
  std::span<const Header> headers =
      {};  // besides: Date, Content-Length, Connection, Transfer-Encoding are ours
  std::string_view body = {};
};

// Names one exchange for later; a plain value that may outlive it and may cross threads.
using ExchangeId = std::uint64_t;

// One request and its response. Exactly one way to answer: Send, SendFile, or Begin .. Write .. End.
// A handler that returns without having answered and without Defer() gets 500.
class Exchange {
 public:
  virtual const Request& request() const = 0;

  // The whole response. For HEAD the body is measured but not sent.
  virtual void Send(const Response& response) = 0;

  // A response whose body is `length` bytes of `fd` from `offset`, sent without a copy through user
  // space. Takes the descriptor over (closes it, also on errors). A file that shrinks meanwhile costs
  // the connection. response.body is ignored.
  virtual void SendFile(const Response& response, int fd, std::uint64_t offset,
                        std::uint64_t length) = 0;

  // A response in pieces. With length: exactly that many bytes must follow. Without: chunked.
  static constexpr std::uint64_t kUnknownLength = ~std::uint64_t{0};
  virtual void Begin(const Response& head, std::uint64_t length = kUnknownLength) = 0;
  // False: more than enough is queued; go on when `writable` of OnWritable is called. The bytes of this
  // call are taken in both cases.
  virtual bool Write(std::string_view bytes) = 0;
  virtual void OnWritable(std::function<void(Exchange&)> writable) = 0;
  virtual void End() = 0;

  // Answer later: keeps the exchange alive after the handler's return, until it is answered, the client
  // has gone or the request's time is over (then 504 is sent for you). Find it again with Context::Find,
  // and read request() anew: views that you took before this call are gone when the handler returns.
  virtual ExchangeId Defer() = 0;

  // BodyMode::kStreamed: called for each piece of the body, `last` with the final (maybe empty) one.
  // Call it in Handle; without it the body is read and dropped. Pause stops reading from the client
  // (back-pressure) until Resume.
  virtual void OnBody(std::function<void(Exchange&, std::string_view piece, bool last)> body) = 0;
  virtual void PauseBody() = 0;
  virtual void ResumeBody() = 0;

  // Called once if the client goes away before the response is complete.
  virtual void OnAbort(std::function<void()> abort) = 0;

  // "127.0.0.1:40122".
  virtual std::string peer() const = 0;

 protected:
  ~Exchange() = default;
};

// One raw TCP connection (Protocol::kTcp).
class Stream {
 public:
  // False: more than enough is queued; OnWritable comes when it is sent.
  virtual bool Write(std::string_view bytes) = 0;
  // Sends what is queued, then ends the connection properly (FIN, then waits for the peer's).
  virtual void Close() = 0;
  // Back-pressure on the peer.
  virtual void Pause() = 0;
  virtual void Resume() = 0;
  virtual std::string peer() const = 0;
  // Yours: free it in OnClose.
  void* user = nullptr;

 protected:
  ~Stream() = default;
};

// What the worker offers to its app; holds from Start to the end of Stop. Only Post may be called from
// other threads.
class Context {
 public:
  virtual std::uint32_t slot() const = 0;
  virtual std::uint32_t generation() const = 0;
  virtual std::span<const std::string> arguments()
      const = 0;  // after the app's name on the command line
  // Runs `work` on the worker's thread, soon. Thread-safe.
  virtual void Post(std::function<void()> work) = 0;
  // Runs `work` once, not earlier than after `delay` (resolution: about 100 ms).
  virtual void After(std::chrono::milliseconds delay, std::function<void()> work) = 0;
  // The exchange if it still waits for its response, else nullptr (count on it).
  virtual Exchange* Find(ExchangeId id) = 0;
  virtual void Log(std::string_view line) = 0;

 protected:
  ~Context() = default;
};

enum class Protocol { kHttp, kTcp };
enum class BodyMode { kWhole, kStreamed };

struct Options {
  Protocol protocol = Protocol::kHttp;
  BodyMode body_mode = BodyMode::kWhole;
  std::uint64_t body_bytes_max = 1 << 20;  // larger bodies get 413; for kStreamed ~0 means no bound
};

class App {
 public:
  virtual ~App() = default;

  virtual Options options() const { return {}; }

  // Before the worker is READY. Throw std::exception to refuse: its what() is shown to the operator.
  virtual void Start(Context&) {}
  // The worker takes no new connections from now on. Comes first, before connections are asked to end:
  // the time to tell peers of your own to go, flush, and so on.
  virtual void Drain(Context&) {}
  // All connections are gone (or the time is over); the process exits after this.
  virtual void Stop(Context&) {}

  // Protocol::kHttp
  virtual void Handle(Exchange& exchange) { exchange.Send({.status = 404, .body = "not found\n"}); }

  // Protocol::kTcp
  virtual void OnOpen(Stream&) {}
  virtual void OnBytes(Stream&, std::string_view) {}
  virtual void OnWritable(Stream&) {}
  // The peer has sent its last byte (FIN). You may still write; the default closes.
  virtual void OnEnd(Stream& stream) { stream.Close(); }
  // Gone, for whatever reason; the last call for this stream.
  virtual void OnClose(Stream&) {}
};

inline std::string_view Request::header(std::string_view name) const {
  for (const Header& header : headers) {
    if (header.name.size() != name.size()) continue;
    bool same = true;
    for (std::size_t i = 0; i < name.size() && same; ++i) {
      const auto lower = [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
      };
      same = lower(header.name[i]) == lower(name[i]);
    }
    if (same) return header.value;
  }
  return {};
}

}  // namespace uc::app

// Ends a shared object's source: makes Type loadable. Type needs a default constructor.
#define URING_CLUSTER_APP(Type)                                                                   \
  extern "C" __attribute__((visibility("default"), used)) const std::uint32_t uring_cluster_abi = \
      ::uc::app::kAbiVersion;                                                                     \
  extern "C" __attribute__((visibility("default"), used)) ::uc::app::App* uring_cluster_app() {   \
    return new Type;                                                                              \
  }

#endif  // CORE_APP_APP_H_
