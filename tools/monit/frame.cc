#include "tools/monit/frame.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "tools/printable.h"

namespace uc::tools {
namespace {

using Json = nlohmann::ordered_json;

// One line of the picture: a worker, with its figures of the last moment.
struct Figures {
  double requests = 0;  // a second
  double bytes = 0;     // a second, out
  double cpu = 0;       // of one core, in per cent
  int64_t resident = 0;
};

double Seconds(const Look& before, const Look& now) {
  return std::max(0.001, absl::ToDoubleSeconds(now.at - before.at));
}

const WorkerView* FindWorker(const Look& look, const std::string& cluster, uint32_t generation) {
  for (const ClusterView& view : look.clusters) {
    if (view.name != cluster) continue;
    for (const WorkerView& worker : view.workers) {
      if (worker.generation == generation) return &worker;
    }
  }
  return nullptr;
}

double Rate(uint64_t before, uint64_t now, double seconds) {
  return now > before ? static_cast<double>(now - before) / seconds : 0;
}

Figures FiguresOf(const Look& before, const Look& now, const ClusterView& cluster,
                  const WorkerView& worker) {
  Figures figures;
  const double seconds = Seconds(before, now);
  if (const WorkerView* former = FindWorker(before, cluster.name, worker.generation)) {
    figures.requests = Rate(former->totals.requests, worker.totals.requests, seconds);
    figures.bytes = Rate(former->totals.bytes_out, worker.totals.bytes_out, seconds);
  }
  const auto load = now.processes.find(ProcessOf(worker));
  if (load == now.processes.end()) return figures;
  figures.resident = load->second.resident;
  const auto former = before.processes.find(ProcessOf(worker));
  if (former != before.processes.end()) {
    figures.cpu = 100 * absl::ToDoubleSeconds(load->second.cpu - former->second.cpu) / seconds;
  }
  return figures;
}

std::string Bytes(double bytes) {
  if (bytes < 10'000) return absl::StrFormat("%.0f", bytes);
  if (bytes < 10'000'000) return absl::StrFormat("%.1fK", bytes / 1024);
  return absl::StrFormat("%.1fM", bytes / (1 << 20));
}

void AppendCluster(const Look& before, const Look& now, const ClusterView& cluster,
                   std::vector<std::string>* lines) {
  double requests = 0;
  double cpu = 0;
  std::vector<std::string> workers;
  for (const WorkerView& worker : cluster.workers) {
    const Figures figures = FiguresOf(before, now, cluster, worker);
    requests += figures.requests;
    cpu += figures.cpu;
    // Nobody counts a program's requests.
    const auto known = [&](std::string figure) { return cluster.program ? "-" : figure; };
    workers.push_back(absl::StrFormat(
        "  %-5d %-9s pid %-8d %5.1f%% cpu %8s mem %8d conns %10s req/s %9s/s out %9s p99",
        worker.slot, worker.state, ProcessOf(worker), figures.cpu,
        Bytes(static_cast<double>(figures.resident)), worker.connections,
        known(absl::StrFormat("%.0f", figures.requests)), known(Bytes(figures.bytes)),
        known(ShownLatency(worker.totals, 0.99))));
  }
  lines->push_back(
      absl::StrFormat("%s  %s  %d workers  %s req/s  %.1f%% cpu  %s  %s", Printable(cluster.name),
                      StatusWord(cluster), cluster.workers_wanted,
                      cluster.program ? "-" : absl::StrFormat("%.0f", requests), cpu,
                      Printable(absl::StrJoin(cluster.addresses, " ")), Printable(cluster.app)));
  lines->insert(lines->end(), workers.begin(), workers.end());
}

}  // namespace

std::string Frame(const Look& before, const Look& now, size_t lines_max) {
  std::vector<std::string> lines;
  for (const ClusterView& cluster : now.clusters) AppendCluster(before, now, cluster, &lines);
  if (lines.empty()) lines.push_back("no clusters");
  if (lines.size() > lines_max && lines_max > 0) {
    const size_t hidden = lines.size() - lines_max + 1;
    lines.resize(lines_max - 1);
    lines.push_back(absl::StrCat("... and ", hidden, " more lines"));
  }
  return absl::StrCat(absl::StrJoin(lines, "\n"), "\n");
}

std::string FrameJson(const Look& before, const Look& now) {
  Json all = Json::array();
  for (const ClusterView& cluster : now.clusters) {
    Json workers = Json::array();
    double requests = 0;
    for (const WorkerView& worker : cluster.workers) {
      const Figures figures = FiguresOf(before, now, cluster, worker);
      requests += figures.requests;
      workers.push_back({{"slot", worker.slot},
                         {"pid", ProcessOf(worker)},
                         {"state", worker.state},
                         {"cpu_percent", figures.cpu},
                         {"resident_bytes", figures.resident},
                         {"connections", worker.connections},
                         {"requests_per_second", figures.requests},
                         {"bytes_out_per_second", figures.bytes}});
    }
    all.push_back({{"name", cluster.name},
                   {"status", StatusWord(cluster)},
                   {"requests_per_second", requests},
                   {"workers", workers}});
  }
  return all.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace uc::tools
