#include "benchmarks/paired/contest.h"

#include <algorithm>
#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "benchmarks/paired/client.h"

namespace uc::paired {
namespace {

constexpr int kWarmUpRounds = 5;

absl::Status About(const Server& server, const Work& work, const absl::Status& status) {
  return absl::Status(status.code(),
                      absl::StrCat(server.name(), ", ", work.text, ": ", status.message()));
}

}  // namespace

absl::StatusOr<std::vector<Score>> Compete(const Work& work, std::vector<Server>& servers,
                                           const ContestOptions& options) {
  std::vector<Client> clients;
  for (Server& server : servers) {
    server.Count();
    absl::StatusOr<Client> client = Client::Open(work, server.port());
    if (!client.ok()) return About(server, work, client.status());
    clients.push_back(*std::move(client));
  }
  std::vector<Score> scores(servers.size());
  std::vector<std::vector<double>> nanos(servers.size());
  std::vector<std::vector<double>> ratios(servers.size());
  std::vector<size_t> order(servers.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::mt19937 lot;  // of the same seed each time: a run can be repeated
  for (int round = -kWarmUpRounds; round < options.rounds; ++round) {
    // By lot: who always comes behind the same one inherits its caches, and the sleep of the cores.
    std::shuffle(order.begin(), order.end(), lot);
    std::vector<double> cost(servers.size());
    bool whole = true;  // on a starved machine a window may pass without an answer
    for (const size_t i : order) {
      const int64_t before = servers[i].CpuNanos();
      const absl::StatusOr<int64_t> requests = clients[i].Window(options.window);
      if (!requests.ok()) return About(servers[i], work, requests.status());
      cost[i] =
          static_cast<double>(servers[i].CpuNanos() - before) / static_cast<double>(*requests);
      whole = whole && *requests > 0;
      if (round >= 0) scores[i].requests += *requests;
    }
    if (round < 0 || !whole) continue;
    for (size_t i = 0; i < servers.size(); ++i) {
      nanos[i].push_back(cost[i]);
      ratios[i].push_back(cost[i] / cost[0]);
    }
  }
  for (size_t i = 0; i < servers.size(); ++i) {
    scores[i].server = servers[i].name();
    scores[i].nanos = TrimmedMean(std::move(nanos[i]));
    scores[i].ratio = TrimmedMean(std::move(ratios[i]));
  }
  return scores;
}

}  // namespace uc::paired
