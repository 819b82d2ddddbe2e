"""Figures as Markdown tables and plots. Whatever was not measured is left out."""

import os

import plot

# What is aimed at: (work, reference server, at most so many times the reference).
TARGETS = {"keep-alive:1": 1.05, "keep-alive:64": 1.02, "pipelined:64:16": 1.4, "new:16": 1.0,
           "get:16:/1k.bin": 1.0, "get:16:/16k.bin": 1.0, "get:4:/1m.bin": 1.0, "get:1:/100m.bin": 1.0}


def table(head, rows):
    return "\n".join(["| " + " | ".join(head) + " |", "|" + "---|" * len(head),
                      *("| " + " | ".join(map(str, row)) + " |" for row in rows), ""])


def ratio(figures):
    """Windows in which nothing was answered leave no figure behind (on a starved machine, in short runs)."""
    if not figures["ratio"] or figures["ratio_error"] is None:
        return "-"
    return "%.2f ± %.2f" % (figures["ratio"], figures["ratio_error"])


def cpu_table(works):
    """One row a server, one column a work: the ratio to the first server."""
    names = [server["server"] for server in works[0]["servers"]]
    rows = []
    for i, name in enumerate(names):
        cells = []
        for work in works:
            figures = work["servers"][i]
            if i == 0:
                cells.append("1 (%.2f us)" % ((figures["cpu_ns_per_request"] or 0) / 1000))
            else:
                cells.append(ratio(figures))
        rows.append([name, *cells])
    rows.append(["*target for uring-cluster*", *("%.2f" % TARGETS[work["work"]] if work["work"] in TARGETS else "-" for work in works)])
    return table(["CPU time per request, ratio to %s" % names[0], *(work["work"] for work in works)], rows)


def curve_table(points):
    rows = []
    for name, series in points.items():
        for at in series:
            rows.append([name, "%d" % at["rate"], "%.0f" % at["answered"], "%.3f" % at["p50_ms"], "%.3f" % at["p99_ms"],
                         "%.3f" % at["p999_ms"], at["not_begun"], "%.1f" % at["cpu_us_per_request"]])
    return table(["server", "offered/s", "answered/s", "p50 ms", "p99 ms", "p99.9 ms", "not begun", "CPU us/request"], rows)


def scaling_table(figures):
    rows = []
    for name, series in figures.items():
        for at in series:
            rows.append([name, at["work"], at["workers"], "%.0f" % at["answers_per_second"],
                         "%.1f (%.1f to %.1f)" % (at["cpu_us"], at["cpu_us_least"], at["cpu_us_most"])])
    return table(["server", "work", "workers", "answers/s", "CPU us/request"], rows)


def opinions_table(figures):
    rows = [[name, seen["answers"], *("-" if seen[key] is None else "%.2f" % seen[key] for key in ("p50_ms", "p99_ms", "max_ms"))]
            for name, seen in figures["generators"].items()]
    return table(["generator; the server stands still for %.0f ms of %d s" % (figures["still_ms"], figures["seconds"]),
                  "answers", "p50 ms", "p99 ms", "max ms"], rows)


def start_table(figures):
    rows = [["first answer after exec, 2 workers: " + name, "%.0f" % at["median"], "%.0f" % at["least"], "%.0f" % at["most"]]
            for name, at in figures["first_answer_ms"].items()]
    at = figures["all_serving_ms"]
    rows.append(["all of %d workers serving: uring-cluster" % at["workers"], "%.0f" % at["median"], "%.0f" % at["least"],
                 "%.0f" % at["most"]])
    return table(["start", "median ms", "least", "most"], rows)


def idle_table(at):
    return table(["%d idle workers" % at["workers"], "figure"], [
        ["coordinator, resident / anonymous", "%.1f / %.1f MB" % (at["coordinator_rss_kb"] / 1024,
                                                                  at["coordinator_anonymous_kb"] / 1024)],
        ["coordinator, CPU time", "%.2f ms/s" % at["coordinator_cpu_ms_per_second"]],
        ["coordinator, wake-ups", "%.1f /s" % at["coordinator_wakeups_per_second"]],
        ["a worker, resident", "%.1f MB" % (at["worker_rss_kb"] / 1024)],
        ["a worker, CPU time", "%.3f ms/s" % at["worker_cpu_ms_per_second"]],
        ["a worker, wake-ups", "%.2f /s" % at["worker_wakeups_per_second"]]])


def connections_table(figures):
    return table(["idle keep-alive connections", "connections", "user memory each"],
                 [[name, at["connections"], "%.0f B" % at["bytes_each"]] for name, at in figures.items()])


def endurance_table(figures):
    return table(["endurance", "requests", "RSS before", "grown by", "allocator calls", "per request"],
                 [[work, at["requests"], "%d kB" % at["rss_kb_before"], "%d kB" % at["rss_kb_grown"], at["allocations"],
                   "%.2g" % at["allocations_per_request"]] for work, at in figures.items()])


TABLES = {"hello": cpu_table, "static": cpu_table, "curve": curve_table, "scaling": scaling_table, "opinions": opinions_table,
          "start": start_table, "idle": idle_table, "connections": connections_table, "endurance": endurance_table}


def markdown(figures):
    facts = figures["machine"]
    parts = ["Kernel %s, %d cores, load average %.1f before and %.1f after; repeat with `%s`.\n" % (
        facts["kernel"], facts["cores"], facts["load_before"], facts["load_after"], facts["command"])]
    parts.extend(TABLES[chapter](figures[chapter]) for chapter in TABLES if chapter in figures)
    if facts["missing"]:
        parts.append("Not measured: %s.\n" % "; ".join("%s (%s)" % item for item in facts["missing"].items()))
    return "\n".join(parts)


def plots(figures, folder):
    def path(name):
        return os.path.join(folder, name + ".svg")

    for chapter in ("hello", "static"):
        if chapter in figures:
            groups = {work["work"]: {server["server"]: server["ratio"] for server in work["servers"] if server["ratio"]}
                      for work in figures[chapter]}
            first = figures[chapter][0]["servers"][0]["server"]
            plot.bars(path("cpu-" + chapter), "CPU time per request", "times %s" % first, groups, top=8)
    if "curve" in figures:
        for key, title in (("p50_ms", "Median latency"), ("p99_ms", "99th percentile")):
            series = {name: [(at["rate"], at[key]) for at in points] for name, points in figures["curve"].items()}
            plot.lines(path("latency-" + key[:3]), title + " against offered load (from the intended send time)",
                       "requests offered per second", "ms", series, (True, True))
        series = {name: [(at["rate"], at["answered"]) for at in points] for name, points in figures["curve"].items()}
        plot.lines(path("throughput"), "Throughput against offered load", "requests offered per second",
                   "answers per second", series)
    if "scaling" in figures:
        for key, title in (("answers_per_second", "Throughput"), ("cpu_us", "CPU time per request, us")):
            series = {"%s, %s" % (name, work): [(at["workers"], at[key]) for at in points if at["work"] == work]
                      for name, points in figures["scaling"].items() for work in ("keep-alive", "new")}
            plot.lines(path("scaling-" + key[:3]), title + " over workers", "workers", title, series,
                       (True, True))
