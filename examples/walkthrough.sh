#!/usr/bin/env bash
# A walk through Rollcall with nothing but curl and dig. It prints what it does, and it checks what
# comes back: a step that does not do what is said here ends it with code 1.
#
#   examples/walkthrough.sh
#
# It starts a server of its own on free ports and takes it down at the end. To walk through one that
# runs already: HTTP=http://127.0.0.1:8500 DNS=127.0.0.1:8600 examples/walkthrough.sh
# The binary is the newest of target/release/rollcall and target/debug/rollcall; another one:
# ROLLCALL_BIN=PATH.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# Before anything else is done: which binary it is, and that there is one.
if [[ -z ${HTTP:-} || -z ${DNS:-} ]]; then
  binary=${ROLLCALL_BIN:-}
  if [[ -z $binary ]]; then
    binary=$here/target/release/rollcall
    [[ ! $here/target/debug/rollcall -nt $binary ]] || binary=$here/target/debug/rollcall
  fi
  # The server is started in another folder.
  [[ $binary == /* ]] || binary=$PWD/$binary
  if [[ ! -f $binary || ! -x $binary ]]; then
    echo "error: there is no program at $binary: run \`cargo build --release\`, or say ROLLCALL_BIN=PATH" >&2
    exit 1
  fi
fi

scratch=$(mktemp -d)
server='' watcher=''

take_down() {
  local code=$?
  [[ -z $watcher ]] || kill "$watcher" 2>/dev/null || true
  [[ -z $server ]] || kill "$server" 2>/dev/null || true
  wait
  ((code == 0)) || [[ ! -e $scratch/log ]] || tail -n 20 "$scratch/log" >&2
  rm -rf "$scratch"
  exit "$code"
}
trap take_down EXIT

bold='' plain=''
[[ ! -t 1 || -n ${NO_COLOR:-} ]] || bold=$'\e[1m' plain=$'\e[0m'
say() { printf '\n%s%s%s\n' "$bold" "$*" "$plain"; }

# typed COMMAND…: the command as one would type it.
typed() {
  local word
  printf '  $'
  for word in "$@"; do
    if [[ $word == *[[:space:]?\&]* ]]; then printf " '%s'" "$word"; else printf ' %s' "$word"; fi
  done
  echo
}

# run COMMAND…: what it says, also kept in $out.
run() {
  out=$("$@")
  # shellcheck disable=SC2001
  [[ -z $out ]] || sed 's/^/    /' <<<"$out"
}

expect() { # WHAT-IT-MEANS, then a test
  local meaning=$1
  shift
  "$@" || {
    echo "  NOT AS EXPECTED: $meaning (got: ${out//$'\n'/ | })" >&2
    exit 1
  }
}

# until_true SECONDS COMMAND…
until_true() {
  local end=$((SECONDS + $1))
  shift
  until "$@" 2>/dev/null; do
    ((SECONDS < end)) || return 1
    sleep 0.1
  done
}

# A request; the reply's status comes last, on a line of its own.
request() {
  typed curl "$@"
  run curl -sS -m 5 -w '\n%{http_code}\n' "$@"
}
# A question; what is shown is the answer section, or what else `dig` is told to show.
ask() {
  typed dig "@${dns%:*}" -p "${dns##*:}" "$@"
  run dig +noall +answer +nocookie "@${dns%:*}" -p "${dns##*:}" "$@"
}
short() { dig +short "@${dns%:*}" -p "${dns##*:}" "$@"; }
status_is() { [[ ${out##*$'\n'} == "$1" ]]; }
has() { grep -qE -- "$1" <<<"$out"; }
has_not() { ! grep -qE -- "$1" <<<"$out"; }
lines_are() { [[ $(grep -c . <<<"$out") == "$1" ]]; }

# --- the server -----------------------------------------------------------------------------------

if [[ -n ${HTTP:-} && -n ${DNS:-} ]]; then
  http=$HTTP dns=$DNS
else
  say "A server of our own: port 0 picks free ports, and it says which"
  echo "  \$ rollcall serve --dns 127.0.0.1:0 --http 127.0.0.1:0 --data $scratch/data"
  (cd "$scratch" && NO_COLOR=1 exec "$binary" serve --dns 127.0.0.1:0 --http 127.0.0.1:0 \
    --data "$scratch/data") >"$scratch/log" 2>&1 &
  server=$!
  # listening dns|http: where, by what it prints when it is ready.
  listening() { sed -nE "s/^ +$1 +([^ ]+).*/\1/p" "$scratch/log"; }
  knows_ports() { [[ -n $(listening dns) && -n $(listening http) ]]; }
  until_true 15 knows_ports || { echo "the server says no ports" >&2; exit 1; }
  dns=$(listening dns) http=$(listening http)
fi
api=$http/api/v1
until_true 15 curl -fsS -o /dev/null -m 2 "$http/ready"
echo "  DNS on $dns, HTTP on $http"

# --- names ----------------------------------------------------------------------------------------

say "1. Register three instances of payment, one of them with most of the weight"
for i in 1 2 3; do
  weight=$((i == 3 ? 7 : i)) tag=v$((i > 1 ? 2 : 1))
  body='{"addresses": ["10.0.1.%d"], "port": 8080, "weight": %d, "tags": ["%s"], '
  body+='"meta": {"version": "1.4.%d"}}'
  # shellcheck disable=SC2059
  request -X PUT "$api/services/payment/instances/payment-$i" \
    -d "$(printf "$body" "$i" "$weight" "$tag" "$i")"
  expect "a new instance is created" status_is 201
done

say "2. Any client that can resolve a name finds them"
ask payment.service.internal A
expect "all three addresses" lines_are 3
ask payment.service.internal SRV
expect "SRV says port and weight" has 'SRV[[:space:]]+1 7 8080 payment-3.instance.payment.service.internal'
ask _payment._tcp.service.internal SRV
expect "the form of RFC 2782 as well" lines_are 3
ask payment-1.instance.payment.service.internal A
expect "the name of one instance" has '10\.0\.1\.1$'
ask payment.service.internal TXT
expect "the metadata" has 'version=1\.4\.1'
ask payment.service.internal AAAA +comments
expect "no IPv6 is no error: the client goes on with IPv4" has 'status: NOERROR.*'

say "3. A tag is a name of its own"
ask v2.payment.service.internal A
expect "the two instances that carry v2" lines_are 2

say "4. Weights hold for plain A as well: ask 100 times, see who is first"
first=0
for ((i = 0; i < 100; i++)); do
  answer=$(short payment.service.internal A)
  [[ ${answer%%$'\n'*} != 10.0.1.3 ]] || first=$((first + 1))
done
out="10.0.1.3 was first $first times; its weight is 7 of 10"
echo "  $out"
# Less than 47 or more than 93 comes once in a million runs.
expect "about 70" test "$first" -ge 47 -a "$first" -le 93

# --- coming and going -----------------------------------------------------------------------------

say "5. Watch: every change, as it happens"
echo "  \$ curl -sN '$api/watch?service=payment' &"
curl -sN "$api/watch?service=payment" >"$scratch/events" &
watcher=$!
saw() { grep -q "$1" "$scratch/events"; }
until_true 5 saw watching || { echo "the watch does not begin" >&2; exit 1; }

say "6. Drain: out of the answers, but not forgotten"
request -X PUT "$api/services/payment/instances/payment-3/drain"
expect "drained" has '^(200|204)$'
ask payment.service.internal A
expect "the two others" lines_are 2
expect "without the drained one" has_not '10\.0\.1\.3$'
request -X DELETE "$api/services/payment/instances/payment-3/drain"
ask payment.service.internal A
expect "all three again" lines_are 3

say "7. Deregister: when the reply has come, no answer has the instance any more"
request -X DELETE "$api/services/payment/instances/payment-1"
expect "gone" status_is 204
ask payment.service.internal A
expect "the two others" lines_are 2
request -X DELETE "$api/services/payment/instances/payment-1"
expect "twice is said to be too much" status_is 404

until_true 5 saw payment-1 || { out=$(<"$scratch/events"); expect "the watch saw payment-1" false; }
until_true 5 saw payment-3 || { out=$(<"$scratch/events"); expect "the watch saw payment-3" false; }
echo "  the watch has seen:"
head -n 20 "$scratch/events" | sed 's/^/    /'

# --- health ---------------------------------------------------------------------------------------

say "8. Heartbeats: an instance that falls silent leaves the answers by itself"
request -X PUT "$api/services/ledger/instances/ledger-1" -d \
  '{"addresses": ["10.0.2.1"], "port": 9000, "checks": [{"type": "ttl", "ttl": "1s"}]}'
expect "registered" status_is 201
ask ledger.service.internal A
expect "registering counts as the first heartbeat" lines_are 1
request -X PUT "$api/services/ledger/instances/ledger-1/heartbeat"
expect "renewed" has '^(200|204)$'
silent() { [[ -z $(short ledger.service.internal A) ]]; }
echo "  … and now silence"
until_true 5 silent || expect "it left the answers within its second" false
echo "  ledger.service.internal names nobody now"
request -X PUT "$api/services/ledger/instances/ledger-1/heartbeat"
ask ledger.service.internal A
expect "one heartbeat and it is back" lines_are 1

# --- policy and mistakes --------------------------------------------------------------------------

say "9. A policy of its own: one address an answer, and none may be kept"
request -X PUT "$api/services/payment/policy" -d '{"answer_limit": 1, "ttl": "0s"}'
expect "accepted" has '^20[014]$'
ask payment.service.internal A
expect "one record with TTL 0" has '^payment\.service\.internal\.[[:space:]]+0[[:space:]]'
expect "and only one" lines_are 1

say "10. Mistakes are named, never mangled"
request -X PUT "$api/services/pay_ment/instances/a" -d '{"port": 1}'
expect "refused" has '^4(00|22)$'
expect "the reply says which character" has "_"
request -X PUT "$api/services/payment/instances/a" -d '{"prot": 1}'
expect "refused" has '^4(00|22)$'
expect "the reply names the field" has 'prot'

say "That is all of it."
