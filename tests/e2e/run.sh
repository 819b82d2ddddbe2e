#!/bin/bash
# run.sh MODULE: one file of end-to-end tests of the folder that it is run from (tests/e2e, tests/hostile), on the
# binary and the shared objects that Bazel has built.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
# Copies that anybody may run: Bazel's own folders may lie below a home directory that is closed to others.
copies=$(mktemp -d /tmp/uc-e2e-bin.XXXXXX)
trap 'rm -rf "$copies"' EXIT
chmod 755 "$copies"
cp -L "${UC_BINARY:-$root/tools/uring-cluster}" "$copies/uring-cluster"
cp -L "${UC_FIXTURES:-$root/tests/app/fixtures}"/*.so "$copies"
# Of those that need them.
for tool in benchmarks/load/libcount_allocations.so tools/load/uring-cluster-load tools/delay_line/uring-cluster-delay-line; do
    [ ! -e "$root/$tool" ] || [ -d "$root/$tool" ] || cp -L "$root/$tool" "$copies"
done
export UC_TOOLS=${UC_TOOLS:-$copies}
cp -L "${UC_PROGRAMS:-$root/tests/exec/fixtures}"/{inheriting,port}_server "$copies"
chmod 755 "$copies"/*
export UC_BINARY=$copies/uring-cluster UC_FIXTURES=$copies
export PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$here:$root/tests/e2e
python=/usr/bin/python3
[ -x "$python" ] || python=python3
"$python" "$root/tests/e2e/runner.py" "$@"
