#include "tools/cluster_view.h"

#include <fcntl.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "core/base/clock.h"
#include "core/base/fd.h"
#include "core/scoreboard/histogram.h"
#include "core/scoreboard/process_start.h"
#include "tools/cluster_directory.h"
#include "tools/flag_walk.h"
#include "tools/printable.h"
#include "tools/process_user.h"
#include "tools/trusted_folder.h"

namespace uc::tools {
namespace {

using Json = nlohmann::ordered_json;

double Seconds(absl::Time now, int64_t since_ns) {
  if (since_ns == 0) return 0;
  return std::max(0.0, absl::ToDoubleSeconds(now - MonotonicTime(since_ns)));
}

std::string StateName(uint32_t state) {
  switch (static_cast<scoreboard::RowState>(state)) {
    case scoreboard::RowState::kFree:
      return "free";
    case scoreboard::RowState::kStarting:
      return "starting";
    case scoreboard::RowState::kProving:
      return "proving";
    case scoreboard::RowState::kServing:
      return "serving";
    case scoreboard::RowState::kRestarting:
      return "restarting";
    case scoreboard::RowState::kDraining:
      return "draining";
    case scoreboard::RowState::kKilled:
      return "killed";
  }
  return "unknown";
}

std::string ConditionName(uint32_t condition) {
  switch (static_cast<scoreboard::Condition>(condition)) {
    case scoreboard::Condition::kWell:
      return "well";
    case scoreboard::Condition::kErrored:
      return "errored";
    case scoreboard::Condition::kStopped:
      return "stopped";
  }
  return "unknown";
}

// Where no coordinator lives, nobody takes a dead worker out of its row.
bool HasGone(const scoreboard::WorkerRow& row) {
  const uint64_t start = row.process_start.load(std::memory_order_relaxed);
  return start != 0 && scoreboard::ProcessStart(row.pid.load(std::memory_order_relaxed)) != start;
}

WorkerView ViewWorker(const scoreboard::Layout& layout, uint32_t index, uint32_t state,
                      absl::Time now) {
  const scoreboard::WorkerRow& row = layout.workers[index];
  const scoreboard::Report& report = layout.reports.rows[index];
  WorkerView view;
  view.slot = row.slot.load(std::memory_order_relaxed);
  view.generation = row.generation.load(std::memory_order_relaxed);
  view.pid = row.pid.load(std::memory_order_relaxed);
  view.program_pid = report.program_pid.load(std::memory_order_relaxed);
  view.state = StateName(state);
  view.state_seconds = Seconds(now, row.state_since_ns.load(std::memory_order_relaxed));
  view.uptime_seconds = Seconds(now, row.started_ns.load(std::memory_order_relaxed));
  view.heartbeat_age_ms = static_cast<int64_t>(
      1000 * Seconds(now, report.heartbeat_ns.load(std::memory_order_relaxed)));
  view.in_flight = report.in_flight.load(std::memory_order_relaxed);
  view.idle = report.idle.load(std::memory_order_relaxed);
  view.totals = scoreboard::Read(report.counters);
  view.connections = scoreboard::OpenConnections(report.counters);
  return view;
}

Json LatencyJson(const scoreboard::Totals& totals) {
  return {{"p50", scoreboard::Quantile(totals.latency, 0.5)},
          {"p90", scoreboard::Quantile(totals.latency, 0.9)},
          {"p99", scoreboard::Quantile(totals.latency, 0.99)},
          {"p999", scoreboard::Quantile(totals.latency, 0.999)}};
}

Json WorkerJson(const WorkerView& worker) {
  return {{"slot", worker.slot},
          {"generation", worker.generation},
          {"pid", worker.pid},
          {"program_pid", worker.program_pid},
          {"state", worker.state},
          {"state_seconds", worker.state_seconds},
          {"uptime_seconds", worker.uptime_seconds},
          {"heartbeat_age_ms", worker.heartbeat_age_ms},
          {"connections", worker.connections},
          {"in_flight", worker.in_flight},
          {"idle", worker.idle},
          {"requests", worker.totals.requests},
          {"accepted", worker.totals.accepted},
          {"taken_over", worker.totals.taken_over},
          {"handed_over", worker.totals.handed_over},
          {"bytes_in", worker.totals.bytes_in},
          {"bytes_out", worker.totals.bytes_out}};
}

Json TotalsJson(const scoreboard::Totals& totals) {
  return {{"accepted", totals.accepted},         {"closed", totals.closed},
          {"taken_over", totals.taken_over},     {"handed_over", totals.handed_over},
          {"requests", totals.requests},         {"bytes_in", totals.bytes_in},
          {"bytes_out", totals.bytes_out},       {"responses_5xx", totals.responses_5xx},
          {"bad_requests", totals.bad_requests}, {"accept_errors", totals.accept_errors},
          {"latency_us", LatencyJson(totals)}};
}

Json ClusterJson(const ClusterView& view) {
  Json slots = Json::array();
  for (const SlotView& slot : view.slots) {
    slots.push_back({{"slot", slot.slot},
                     {"live", slot.live},
                     {"stand_in", slot.stand_in},
                     {"restarts", slot.restarts},
                     {"quick_deaths", slot.quick_deaths},
                     {"next_spawn_in_ms", slot.next_spawn_in_ms},
                     {"condition", slot.condition},
                     {"last_failure", slot.failure},
                     {"last_failure_seconds", slot.failed_seconds}});
  }
  Json workers = Json::array();
  for (const WorkerView& worker : view.workers) workers.push_back(WorkerJson(worker));
  return {{"name", view.name},
          {"app", view.app},
          {"program", view.program},
          {"addresses", view.addresses},
          {"status", StatusWord(view)},
          {"running", view.running},
          {"coordinator_pid", view.coordinator_pid},
          {"workers_wanted", view.workers_wanted},
          {"rolling", view.rolling},
          {"stopping", view.stopping},
          {"mode", view.mode},
          {"balance", view.balance},
          {"coordinators", view.coordinators},
          {"serves_as", view.user},
          {"binary", view.binary},
          {"command_line", view.command_line},
          {"uptime_seconds", view.uptime_seconds},
          {"events_ignored", view.events_ignored},
          {"slots", slots},
          {"workers", workers},
          {"totals", TotalsJson(view.totals)}};
}

// Bytes that are no UTF-8 (a path may hold any) must not make the whole answer fail.
std::string Dump(const Json& json) {
  return json.dump(2, ' ', false, Json::error_handler_t::replace);
}

std::string Age(double seconds) {
  const int64_t whole = static_cast<int64_t>(seconds);
  if (whole < 120) return absl::StrCat(whole, "s");
  if (whole < 7200) return absl::StrCat(whole / 60, "m");
  if (whole < 172800) return absl::StrCat(whole / 3600, "h");
  return absl::StrCat(whole / 86400, "d");
}

uint64_t RestartsOf(const ClusterView& view, uint32_t slot) {
  for (const SlotView& one : view.slots) {
    if (one.slot == slot) return one.restarts;
  }
  return 0;
}

using Row = std::vector<std::string>;

std::string Aligned(std::vector<Row> rows) {
  for (Row& row : rows) {
    for (std::string& cell : row) cell = Printable(cell);
  }
  std::vector<size_t> widths;
  for (const Row& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text;
  for (const Row& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) {
      const bool last = i + 1 == row.size();
      absl::StrAppend(&text, row[i], last ? "\n" : std::string(widths[i] - row[i].size() + 2, ' '));
    }
  }
  return text;
}

const Row& DetailTitles() {
  static const Row* titles =
      new Row{"SLOT", "GEN", "IN STATE", "IN FLIGHT", "IDLE", "BYTES IN", "BYTES OUT"};
  return *titles;
}

void AppendDetails(const ClusterView& view, std::vector<Row>* rows) {
  const auto known = [&view](std::string figure) { return view.program ? "-" : figure; };
  for (const WorkerView& worker : view.workers) {
    rows->push_back({absl::StrCat(worker.slot), absl::StrCat(worker.generation),
                     absl::StrCat(worker.state, " for ", Age(worker.state_seconds)),
                     known(absl::StrCat(worker.in_flight)), known(absl::StrCat(worker.idle)),
                     known(absl::StrCat(worker.totals.bytes_in)),
                     known(absl::StrCat(worker.totals.bytes_out))});
  }
}

void AppendWorkers(const ClusterView& view, std::vector<Row>* rows) {
  const auto known = [&view](std::string figure) { return view.program ? "-" : figure; };
  for (const WorkerView& worker : view.workers) {
    rows->push_back(
        {view.name, absl::StrCat(worker.slot), absl::StrCat(worker.generation),
         absl::StrCat(worker.program_pid != 0 ? worker.program_pid : worker.pid), worker.state,
         Age(worker.uptime_seconds), absl::StrCat(RestartsOf(view, worker.slot)),
         absl::StrCat(worker.heartbeat_age_ms, "ms"), absl::StrCat(worker.connections),
         known(absl::StrCat(worker.totals.requests)), known(ShownLatency(worker.totals, 0.5)),
         known(ShownLatency(worker.totals, 0.99))});
  }
  for (const SlotView& slot : view.slots) {
    const bool manned =
        std::any_of(view.workers.begin(), view.workers.end(),
                    [&](const WorkerView& worker) { return worker.slot == slot.slot; });
    if (manned) continue;
    rows->push_back({view.name, absl::StrCat(slot.slot), "-", "-",
                     slot.condition == "well" ? "waiting" : slot.condition, "-",
                     absl::StrCat(slot.restarts), "-", "-", "-", "-", "-"});
  }
}

const Row& WorkerTitles() {
  static const Row* titles = new Row{"NAME",     "SLOT",      "GEN",   "PID",      "STATE", "UP",
                                     "RESTARTS", "HEARTBEAT", "CONNS", "REQUESTS", "P50",   "P99"};
  return *titles;
}

}  // namespace

std::string ShownLatency(const scoreboard::Totals& totals, double q) {
  if (totals.requests == 0) return "-";
  const uint64_t micros = scoreboard::Quantile(totals.latency, q);
  return micros == 0 ? "<1us" : absl::StrCat(micros, "us");
}

std::string StatusWord(const ClusterView& view) {
  if (view.stopped) return "stopped";
  if (!view.running) return "coordinator gone";
  if (view.stopping) return "stopping";
  return view.rolling ? "rolling" : "running";
}

ClusterView ViewStopped(const std::string& name, const std::vector<std::string>& words) {
  ClusterView view;
  view.name = name;
  view.stopped = true;
  view.command_line = absl::StrCat("start ", absl::StrJoin(words, " "));
  // The first word that is neither a flag nor the value of one.
  const size_t app = VerbAt(words);
  if (app < words.size()) view.app = words[app];
  return view;
}

absl::StatusOr<ClusterView> ViewCluster(const std::string& directory, absl::Time now) {
  const absl::StatusOr<TrustedFolder> folder = TrustedFolder::OpenCluster(directory);
  if (!folder.ok()) return folder.status();
  const absl::StatusOr<scoreboard::Scoreboard> board = OpenScoreboard(*folder);
  if (!board.ok()) return board.status();
  const scoreboard::Layout& layout = board->layout();
  const scoreboard::Header& header = layout.header;
  const auto text = [](const char* field, size_t size) {
    return std::string(scoreboard::GetText(field, size));
  };
  ClusterView view;
  view.program = header.program.load(std::memory_order_relaxed) ==
                 static_cast<uint32_t>(scoreboard::AppKind::kProgram);
  view.name = text(header.name, sizeof(header.name));
  view.app = text(header.app, sizeof(header.app));
  view.mode = text(header.mode, sizeof(header.mode));
  view.balance = text(header.balance, sizeof(header.balance));
  view.coordinators = header.coordinators.load(std::memory_order_relaxed);
  view.binary = text(header.binary, sizeof(header.binary));
  view.command_line = text(header.command_line, sizeof(header.command_line));
  view.addresses =
      absl::StrSplit(text(header.addresses, sizeof(header.addresses)), ' ', absl::SkipEmpty());
  view.running = CoordinatorLives(*folder);
  view.coordinator_pid = header.coordinator_pid.load(std::memory_order_relaxed);
  view.workers_wanted = header.workers_wanted.load(std::memory_order_relaxed);
  view.rolling = header.rolling.load(std::memory_order_relaxed) != 0;
  view.stopping = header.stopping.load(std::memory_order_relaxed) != 0;
  view.uptime_seconds = Seconds(now, header.started_ns);
  view.events_ignored = header.events_ignored.load(std::memory_order_relaxed);
  for (uint32_t slot = 0; slot < scoreboard::kSlotsMax; ++slot) {
    const scoreboard::SlotRow& row = layout.slots[slot];
    if (row.wanted.load(std::memory_order_relaxed) == 0) continue;
    const int64_t next_ns = row.next_spawn_ns.load(std::memory_order_relaxed);
    view.slots.push_back(
        {slot, row.live.load(std::memory_order_relaxed) != 0,
         row.stand_in.load(std::memory_order_relaxed), row.restarts.load(std::memory_order_relaxed),
         row.quick_deaths.load(std::memory_order_relaxed),
         next_ns == 0
             ? 0
             : std::max<int64_t>(0, absl::ToInt64Milliseconds(MonotonicTime(next_ns) - now)),
         ConditionName(row.condition.load(std::memory_order_relaxed)),
         text(row.failure, sizeof(row.failure)),
         Seconds(now, row.failed_ns.load(std::memory_order_relaxed))});
  }
  for (uint32_t row = 0; row < scoreboard::kWorkerRows; ++row) {
    const uint32_t state = layout.workers[row].state.load(std::memory_order_acquire);
    // Without a number it is just being spawned.
    if (state == 0 || layout.workers[row].pid.load(std::memory_order_relaxed) <= 0) continue;
    view.workers.push_back(ViewWorker(layout, row, state, now));
    if (!view.running && HasGone(layout.workers[row])) view.workers.back().state = "gone";
  }
  std::sort(view.workers.begin(), view.workers.end(), [](const WorkerView& a, const WorkerView& b) {
    return std::pair(a.slot, a.generation) < std::pair(b.slot, b.generation);
  });
  if (!view.workers.empty()) view.user = ProcessUser(ProcessOf(view.workers.front()));
  view.totals = scoreboard::ReadTotals(layout);
  return view;
}

std::string ToJson(const ClusterView& view) { return Dump(ClusterJson(view)); }

std::string ToJson(const std::vector<ClusterView>& views) {
  Json all = Json::array();
  for (const ClusterView& view : views) all.push_back(ClusterJson(view));
  return Dump(all);
}

std::string ToTable(const std::vector<ClusterView>& views) {
  std::vector<Row> clusters = {
      {"CLUSTER", "STATUS", "WORKERS", "PID", "UP", "REQUESTS", "APP", "LISTENS ON"}};
  std::vector<Row> workers = {WorkerTitles()};
  for (const ClusterView& view : views) {
    clusters.push_back({view.name, StatusWord(view), absl::StrCat(view.workers_wanted),
                        view.running ? absl::StrCat(view.coordinator_pid) : "-",
                        view.stopped ? "-" : Age(view.uptime_seconds),
                        view.program ? "-" : absl::StrCat(view.totals.requests), view.app,
                        absl::StrJoin(view.addresses, " ")});
    AppendWorkers(view, &workers);
  }
  std::string failures;  // of slots that do not serve
  for (const ClusterView& view : views) {
    for (const SlotView& slot : view.slots) {
      if (slot.live || slot.failure.empty()) continue;
      absl::StrAppend(&failures, Printable(view.name), " slot ", slot.slot, ": ",
                      Printable(slot.failure), "\n");
    }
  }
  return absl::StrCat(Aligned(clusters), "\n", Aligned(workers), failures.empty() ? "" : "\n",
                      failures);
}

std::string ToText(const ClusterView& view) {
  const auto quantile = [&](double q) { return ShownLatency(view.totals, q); };
  std::vector<Row> facts = {
      {"name", view.name},
      {"status", StatusWord(view)},
      {"app", view.app},
      {"listens on", absl::StrJoin(view.addresses, " ")},
      {"mode", view.mode},
      {"serves as", view.user.empty() ? "-" : view.user},
      {"coordinator", absl::StrCat(view.running ? "pid " : "gone; was pid ", view.coordinator_pid)},
      {"up", Age(view.uptime_seconds)},
      {"workers wanted", absl::StrCat(view.workers_wanted)},
      {"binary", view.binary},
      {"command line", view.command_line},
      {"connections", absl::StrCat(view.totals.accepted, " accepted, ", view.totals.closed,
                                   " closed, ", view.totals.handed_over, " handed over, ",
                                   view.totals.accept_errors, " accept errors")},
      {"requests", absl::StrCat(view.totals.requests, " answered, ", view.totals.responses_5xx,
                                " with 5xx, ", view.totals.bad_requests, " bad")},
      {"bytes", absl::StrCat(view.totals.bytes_in, " in, ", view.totals.bytes_out, " out")},
      {"latency", absl::StrCat("p50 ", quantile(0.5), ", p90 ", quantile(0.9), ", p99 ",
                               quantile(0.99), ", p99.9 ", quantile(0.999))},
      {"events ignored", absl::StrCat(view.events_ignored)},
  };
  if (view.program) {
    std::erase_if(facts, [](const Row& fact) {
      return fact[0] == "requests" || fact[0] == "bytes" || fact[0] == "latency";
    });
  }
  std::string text = Aligned(facts);
  for (const SlotView& slot : view.slots) {
    if (slot.next_spawn_in_ms == 0 && slot.live && slot.failure.empty()) continue;
    absl::StrAppend(&text, "slot ", slot.slot, slot.live ? " is live" : " is not live");
    if (slot.next_spawn_in_ms == 0 && slot.live) {
      // Only its past is worth a line.
    } else if (slot.condition == "stopped") {
      absl::StrAppend(&text, ", stopped until restart, reload or scale");
    } else {
      absl::StrAppend(&text, ", ", slot.condition == "errored" ? "errored, " : "",
                      slot.quick_deaths, " quick deaths, next try in ", slot.next_spawn_in_ms,
                      "ms");
    }
    if (slot.stand_in != 0) {
      absl::StrAppend(&text, "; generation ", slot.stand_in, " accepts for it");
    }
    if (!slot.failure.empty()) {
      absl::StrAppend(&text, "; last failure ", Age(slot.failed_seconds),
                      " ago: ", Printable(slot.failure));
    }
    absl::StrAppend(&text, "\n");
  }
  std::vector<Row> workers = {WorkerTitles()};
  AppendWorkers(view, &workers);
  std::vector<Row> details = {DetailTitles()};
  AppendDetails(view, &details);
  return absl::StrCat(text, "\n", Aligned(workers), "\n", Aligned(details));
}

}  // namespace uc::tools
