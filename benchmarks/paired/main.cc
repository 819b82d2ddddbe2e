// paired: CPU time per request of servers side by side, as ratios to the first one.
//
//   bazel run //benchmarks/paired                          our worker against the two floors
//   bazel run //benchmarks/paired -- --set=static          `static` against nginx
//   bazel run //benchmarks/paired -- 'peer=./peer {port}'  and whoever is named besides
#include <sched.h>
#include <stdlib.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/time/time.h"
#include "benchmarks/paired/contest.h"
#include "benchmarks/paired/server.h"
#include "benchmarks/paired/work.h"
#include "nlohmann/json.hpp"

ABSL_FLAG(
    std::string, set, "hello",
    "hello: the floors and our `hello`; static: nginx and our `static`; none: only those that "
    "are named as NAME=COMMAND");
ABSL_FLAG(std::string, works, "",
          "comma separated: keep-alive:CONNECTIONS, pipelined:CONNECTIONS:DEPTH, "
          "traced:CONNECTIONS:DEPTH (no two heads alike), new:CONNECTIONS, "
          "get:CONNECTIONS:/TARGET (default: those of the set)");
ABSL_FLAG(int, rounds, 300, "rotations over all servers");
ABSL_FLAG(absl::Duration, window, absl::Milliseconds(5), "length of a visit");
ABSL_FLAG(int, server_core, 1, "core of all servers");
ABSL_FLAG(int, client_core, 0, "core of the client");
ABSL_FLAG(std::string, binary, "tools/uring-cluster", "the uring-cluster that competes");
ABSL_FLAG(std::string, json, "", "file for the figures");

namespace uc::paired {
namespace {

constexpr char kHelloWorks[] =
    "keep-alive:1,keep-alive:64,pipelined:64:16,new:16,traced:64:1,traced:64:16";
constexpr char kStaticWorks[] = "get:16:/1k.bin,get:16:/16k.bin,get:4:/1m.bin,get:1:/100m.bin";

// {more}: what differs between the two of it.
constexpr char kNginx[] =
    "echo 'daemon off; worker_processes 1; pid {folder}/pid; error_log stderr; "
    "events { worker_connections 4096; } http { access_log off; sendfile on; tcp_nopush on; "
    "tcp_nodelay on; keepalive_requests 1000000000; default_type application/octet-stream; "
    "{more} client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; "
    "fastcgi_temp_path {folder}/c; uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e; "
    "server { listen 127.0.0.1:{port} backlog=4096; root {files}; } }' > {folder}/conf && "
    "PATH=$PATH:/usr/sbin exec nginx -p {folder} -c {folder}/conf -e stderr";

std::vector<std::string> SetOf(const std::string& name) {
  const std::string ours = absl::StrCat(
      absl::GetFlag(FLAGS_binary), " start -i 1 --listen=127.0.0.1:{port} --run-dir={folder} ");
  if (name == "hello") {
    return {"epoll-floor=benchmarks/floor/epoll_floor {port} {request_bytes}",
            "uring-floor=benchmarks/floor/uring_floor {port} {request_bytes}",
            absl::StrCat("uring-cluster=", ours, "hello")};
  }
  if (name == "static") {
    const auto nginx = [](absl::string_view more) {
      return absl::StrReplaceAll(kNginx, {{"{more}", more}});
    };
    return {absl::StrCat("nginx=", nginx("")),
            absl::StrCat("nginx-caching=", nginx("open_file_cache max=1000;")),
            absl::StrCat("uring-cluster=", ours, "static {files}")};
  }
  return {};
}

void WriteFiles(const std::string& folder) {
  for (const auto& [name, bytes] :
       {std::pair{"1k.bin", 1 << 10}, std::pair{"16k.bin", 16 << 10}, std::pair{"1m.bin", 1 << 20},
        std::pair{"100m.bin", 100 << 20}}) {
    std::string text(static_cast<size_t>(bytes), '\0');
    for (size_t i = 0; i < text.size(); ++i) text[i] = static_cast<char>('a' + i * 31 % 23);
    std::ofstream(absl::StrCat(folder, "/", name)) << text;
  }
}

void Pin(int core) {
  cpu_set_t cores;
  CPU_ZERO(&cores);
  CPU_SET(core, &cores);
  if (sched_setaffinity(0, sizeof(cores), &cores) != 0) {
    std::fprintf(stderr, "paired: there is no core %d for us\n", core);
    exit(2);
  }
}

void Print(const Work& work, const std::vector<Score>& scores) {
  std::printf("\n%s\n  %-24s %10s %14s %18s\n", work.text.c_str(), "server", "requests",
              "CPU ns/request", "ratio");
  for (const Score& score : scores) {
    std::printf("  %-24s %10lld %14.0f %10.3f +- %.3f\n", score.server.c_str(),
                static_cast<long long>(score.requests), score.nanos.value, score.ratio.value,
                score.ratio.error);
  }
  std::fflush(stdout);
}

nlohmann::json ToJson(const Work& work, const std::vector<Score>& scores) {
  nlohmann::json servers = nlohmann::json::array();
  for (const Score& score : scores) {
    servers.push_back({{"server", score.server},
                       {"requests", score.requests},
                       {"cpu_ns_per_request", score.nanos.value},
                       {"cpu_ns_error", score.nanos.error},
                       {"ratio", score.ratio.value},
                       {"ratio_error", score.ratio.error}});
  }
  return {{"work", work.text}, {"servers", servers}};
}

absl::Status Run(const std::vector<std::string>& named, const std::string& folder) {
  const std::string set = absl::GetFlag(FLAGS_set);
  std::vector<std::string> texts = SetOf(set);
  texts.insert(texts.end(), named.begin(), named.end());
  std::string work_texts = absl::GetFlag(FLAGS_works);
  if (work_texts.empty()) work_texts = set == "static" ? kStaticWorks : kHelloWorks;
  std::vector<Work> works;
  for (const absl::string_view text : absl::StrSplit(work_texts, ',')) {
    absl::StatusOr<Work> work = Work::Parse(text);
    if (!work.ok()) return work.status();
    works.push_back(*std::move(work));
  }
  Server::Surroundings around = {.core = absl::GetFlag(FLAGS_server_core),
                                 .request_bytes = works[0].Request().size(),
                                 .folder = folder,
                                 .files = folder + "/files"};
  std::filesystem::create_directory(around.files);
  if (absl::StrContains(work_texts, "get:")) WriteFiles(around.files);
  std::vector<Server> servers;
  for (const std::string& text : texts) {
    absl::StatusOr<Server::Order> order = Server::Order::Parse(text);
    if (!order.ok()) return order.status();
    absl::StatusOr<Server> server = Server::Start(*order, around);
    if (!server.ok()) return server.status();
    servers.push_back(*std::move(server));
  }
  if (servers.empty()) return absl::InvalidArgumentError("no server: give NAME=COMMAND or --set");
  Pin(absl::GetFlag(FLAGS_client_core));
  const ContestOptions options = {.rounds = std::max(3, absl::GetFlag(FLAGS_rounds)),
                                  .window = absl::GetFlag(FLAGS_window)};
  nlohmann::json figures = nlohmann::json::array();
  for (const Work& work : works) {
    absl::StatusOr<std::vector<Score>> scores = Compete(work, servers, options);
    if (!scores.ok()) return scores.status();
    Print(work, *scores);
    figures.push_back(ToJson(work, *scores));
  }
  if (const std::string path = absl::GetFlag(FLAGS_json); !path.empty()) {
    std::ofstream(path) << figures.dump(2) << "\n";
  }
  return absl::OkStatus();
}

}  // namespace
}  // namespace uc::paired

int main(int argc, char** argv) {
  std::vector<char*> words = absl::ParseCommandLine(argc, argv);
  std::string folder = std::filesystem::temp_directory_path() / "paired-XXXXXX";
  if (mkdtemp(folder.data()) == nullptr) return 1;
  // nginx's worker, which is nobody's friend, has to read the files.
  std::filesystem::permissions(folder, static_cast<std::filesystem::perms>(0755));
  const absl::Status status = uc::paired::Run({words.begin() + 1, words.end()}, folder);
  std::filesystem::remove_all(folder);
  if (status.ok()) return 0;
  std::fprintf(stderr, "paired: %s\n", std::string(status.message()).c_str());
  return 1;
}
