#!/bin/bash
# The micro-benchmark $1 starts and has benchmarks.
set -euo pipefail
listed=$("$1" --benchmark_list_tests)
grep -q '^BM_' <<<"$listed" || {
  echo "$1 lists no benchmark: $listed"
  exit 1
}
