# shellcheck shell=bash
# What the tests of Consul's clients share: a host of its own, which has a loopback and nothing
# else, and on it the server under test at the port that every client of Consul asks. Sourced, not
# run.
source "$(dirname "${BASH_SOURCE[0]}")/../common.sh"

here=$root/tests/steps/consul
have=$root/target/consul
consul=$have/agent/usr/bin/consul
under_test=${under_test:-rollcall}

host=consul-$$
# Where clients look if nobody tells them.
url=http://127.0.0.1:8500

on_host() { ip netns exec "$host" "$@"; }

# run_on_host LOG COMMAND…: in the background, until the end of the test; $! is its process.
run_on_host() {
  local log=$scratch/$1.log
  shift
  ip netns exec "$host" "$@" >"$log" 2>&1 &
  pids+=($!)
}

open_host() {
  need ip iproute2
  need curl curl
  need jq jq
  need_root "making network namespaces"
  [[ -x $consul ]] || fail "what the tests need is not there: tests/steps/consul/fetch"
  new_namespace "$host"
  # `localhost` is what it is everywhere, whatever this machine's own files say.
  mkdir -p "/etc/netns/$host"
  printf '127.0.0.1 localhost\n::1 localhost\n' >"/etc/netns/$host/hosts"
  echo "hosts: files" >"/etc/netns/$host/nsswitch.conf"
}

# start_rollcall PORT [FLAGS…]: with its defaults, in a folder of its own.
start_rollcall() {
  local port=$1
  shift
  [[ -x $rollcall ]] || fail "build first: cargo build --bin rollcall"
  mkdir -p "$scratch/rollcall"
  # shellcheck disable=SC2016
  run_on_host rollcall sh -c 'cd "$1" && shift && exec "$@"' sh "$scratch/rollcall" \
    "$rollcall" serve --http "127.0.0.1:$port" "$@"
  wait_until 15 on_host curl -fsS -o /dev/null -m 2 "http://127.0.0.1:$port/ready" ||
    fail "Rollcall is not ready after 15 s"
}

# start_agent PORT [FLAGS…]: Consul's own.
start_agent() {
  local port=$1
  shift
  run_on_host agent "$consul" agent -dev -bind=127.0.0.1 -http-port="$port" \
    -dns-port=18600 -grpc-port=-1 -serf-lan-port=18301 -serf-wan-port=18302 -server-port=8300 \
    -data-dir="$scratch/agent" -log-level=err "$@"
  wait_until 30 agent_leads "$port" || fail "the agent has no leader after 30 s"
}
agent_leads() {
  on_host curl -fsS -m 2 "http://127.0.0.1:$1/v1/health/state/passing" | grep -q serfHealth
}

# start: the server under test, at the port of all clients.
start() {
  open_host
  if [[ $under_test == agent ]]; then
    start_agent 8500
  else
    start_rollcall 8500
  fi
}

# get PATH: what is answered.
get() { on_host curl -fsS -m 5 "$url$1"; }
# put PATH [BODY]
put() {
  on_host curl -fsS -o /dev/null -m 5 -X PUT "$url$1" ${2:+-d "$2"} || fail "PUT $1 ${2:-}"
}

# serve_at PORT LOG: a web server that has a page at /health and one at /process-payment; what it
# was asked is in the log.
serve_at() {
  run_on_host "$2" /usr/bin/python3 "$here/service.py" "$1"
  wait_until 10 on_host curl -fsS -o /dev/null -m 2 "http://127.0.0.1:$1/health" ||
    fail "no service on port $1"
}
