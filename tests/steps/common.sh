# shellcheck shell=bash
# What the steps of tests/run share: failing with a reason, waiting for an event, and taking down
# whatever was put up, also after a failure. Sourced, not run.

set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$root"

# The binaries under test; tests/run has built them.
rollcall=${ROLLCALL_BIN:-$root/target/debug/rollcall}
service=${SERVICE_BIN:-$root/target/debug/examples/service}

pids=()       # processes to stop, in the order of their start
namespaces=() # network namespaces to delete
scratch=$(mktemp -d)

fail() {
  echo "FAILED: $*" >&2
  exit 1
}

note() { echo "  $*"; }

# need COMMAND PACKAGE: a step without its tools fails, it is never skipped.
need() {
  command -v "$1" >/dev/null || fail "\`$1\` is missing: apt-get install $2"
}

need_root() {
  [[ $(id -u) == 0 ]] || fail "$1 needs root: run it by tests/run, as root or with sudo"
}

need_binaries() {
  [[ -x $rollcall && -x $service ]] ||
    fail "build first: cargo build --bin rollcall --example service"
}

# wait_until SECONDS COMMAND…: the event, not the clock.
wait_until() {
  local end=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    ((SECONDS < end)) || return 1
    sleep 0.05
  done
}

# stop PID SECONDS: SIGTERM, wait, and give the process's exit code.
stop() {
  kill -TERM "$1" || return 1
  wait_until "$2" gone "$1" || fail "process $1 is still there $2 s after SIGTERM"
  wait "$1"
}

gone() {
  local state
  state=$(sed 's/.*) //; s/ .*//' "/proc/$1/stat" 2>/dev/null) || return 0
  [[ $state == Z ]]
}

# new_namespace NAME: a network namespace of that name, unique to this run, with loopback up. Files
# in /etc/netns/NAME/ appear in /etc for whatever runs in it.
new_namespace() {
  ip netns add "$1" || fail "no network namespace can be made: CAP_SYS_ADMIN is missing"
  namespaces+=("$1")
  ip -n "$1" link set lo up
}

clean_up() {
  local code=$?
  trap - EXIT
  # Whoever reads this may have gone (`| head`); what was put up is taken down all the same.
  trap '' PIPE
  local i
  # The shell would report each process that is killed.
  exec 3>&2 2>/dev/null
  for ((i = ${#pids[@]} - 1; i >= 0; i--)); do kill -KILL "${pids[i]}" || true; done
  wait || true
  for i in "${namespaces[@]}"; do
    # What the processes above have started themselves.
    ip netns pids "$i" 2>/dev/null | xargs -r kill -KILL || true
    ip netns del "$i" 2>/dev/null || true
    rm -rf "/etc/netns/${i:?}"
  done
  rmdir /etc/netns 2>/dev/null || true
  exec 2>&3 3>&-
  if ((code != 0)); then
    local log
    for log in "$scratch"/*.log; do
      [[ -s $log ]] && printf -- '--- %s\n%s\n' "${log##*/}" "$(tail -n 40 "$log")" >&2 || true
    done
  fi
  rm -rf "$scratch"
  exit "$code"
}
trap clean_up EXIT
trap 'exit 130' INT TERM
