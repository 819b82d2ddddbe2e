# What the scripts beside this file have in common: where the checkout is, progress lines, and one
# clear line when it is impossible to go on. Sourced, never run.
# shellcheck shell=bash

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
cd "$ROOT" || exit

# A bare system has no locale: apt and Bazel would complain at every call.
export LC_ALL=${LC_ALL:-C.UTF-8}

# step 1/3 "what happens now"
step() { printf '[%s] %s\n' "$1" "$2" >&2; }

# fail "what is wrong, and the likely cure"
fail() {
  printf 'error: %s\n' "$1" >&2
  exit "${2:-1}"
}

# Free megabytes where the directory $1 is, or would be.
free_megabytes() {
  local directory=$1
  until [ -d "$directory" ]; do directory=$(dirname "$directory"); done
  df -Pm "$directory" | awk 'NR == 2 { print $4 }'
}

need_megabytes() {
  local free
  free=$(free_megabytes "$1")
  [ "${free:-0}" -ge "$2" ] ||
    fail "$3 needs $2 MB below $1, and $free MB are free there"
}

need_linux() {
  [ "$(uname -s)" = Linux ] || fail "uring-cluster needs Linux (io_uring); this is $(uname -s)"
  [ -e /proc/self/status ] || fail "/proc is not mounted; cure: mount -t proc proc /proc"
  [ -c /dev/null ] || fail "/dev is not mounted; cure: mount --bind the host's /dev into this root"
}

# Bazel keeps what it builds below the home directory; cron, CI and containers may have none.
prepare_bazel() {
  if [ -z "${HOME:-}" ] || ! mkdir -p "$HOME/.cache" 2>/dev/null || [ ! -w "$HOME/.cache" ]; then
    HOME=/var/tmp/uring-cluster-$(id -u)
    mkdir -p "$HOME/.cache" || fail "no home directory, and /var/tmp cannot be written"
  fi
  export HOME USER=${USER:-$(id -un 2>/dev/null || id -u)}
  need_megabytes "$HOME/.cache" 1000 "the build"
}

# Progress is redrawn in place for a person, and a line now and then for a log.
bazel_progress() {
  if [ -t 2 ] && [ -z "${CI:-}" ]; then
    echo --curses=auto
  else
    echo --curses=no --color=no --show_progress_rate_limit=20 --noshow_loading_progress
  fi
}
