# shellcheck shell=bash
# What every forwarder must do with Rollcall behind it, whatever its name: common.sh, and the checks
# that the tests of unbound, dnsmasq, BIND and systemd-resolved share. Sourced, not run.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

# Where the client finds the forwarder, and how dig is run.
forwarder=10.0.0.3
dig_in() { in_client "$@"; }

# Short enough for a test to see it pass.
ttl=2

# ask ARGUMENTS OF DIG…: what the forwarder says, or fails when it is silent or SERVFAIL.
ask() { dig_in dig "@$forwarder" +time=2 +tries=1 "$@"; }
ask_short() { ask +short "$@"; }
# says NAME TYPE: the response code and how many records it has, such as `NOERROR 3`.
says() {
  ask +noall +comments "$@" |
    sed -n 's/.*status: \([A-Z]*\),.*/\1/p; s/.*ANSWER: \([0-9]*\),.*/\1/p' | xargs
}
is() { # WANTED NAME TYPE
  local wanted=$1
  shift
  quickly says "$@" || fail "$*: $out"
  [[ $out == "$wanted" ]] || fail "$*: expected \`$wanted\`, got \`$out\`"
}

# start_behind_forwarder [FLAGS OF ROLLCALL…]
start_behind_forwarder() {
  open_network
  start_world
  export ROLLCALL_DNS_REVERSE=10.0.0.0/24 ROLLCALL_DNS_NEGATIVE_TTL=${ttl}s
  start_rollcall "$@"
  register_pool
  client_asks "$forwarder"
}

forwarder_is_up() { [[ $(ask_short service.internal SOA | wc -l) == 1 ]]; }

# Names, types, and what is not there.
check_answers() {
  local i
  gives "10.0.0.11 10.0.0.12 10.0.0.13" ask_short web.service.internal A
  gives "fd00::11" ask_short six.service.internal AAAA
  gives "10.0.0.12" ask_short v2.web.service.internal A
  gives "$(printf '1 1 8080 web-%s.instance.web.service.internal. ' 1 2 3)" \
    ask_short _web._tcp.service.internal SRV
  gives "1 1 8080 six-1.instance.six.service.internal." ask_short six.service.internal SRV
  note "A, AAAA, SRV and tags are answered"
  is "NOERROR 0" web.service.internal AAAA
  is "NOERROR 0" six.service.internal A
  is "NOERROR 0" web.service.internal HTTPS
  is "NXDOMAIN 0" nowhere.service.internal A
  # Names without records above names with records: were one of them NXDOMAIN, a resolver would
  # believe that there is nothing below it (RFC 8020).
  is "NOERROR 0" instance.web.service.internal A
  is "NOERROR 0" _tcp.service.internal SRV
  is "NOERROR 0" instance.web.service.internal NS
  for i in 1 2 3; do gives "10.0.0.1$i" ask_short "web-$i.instance.web.service.internal" A; done
  gives "1 1 8080 six-1.instance.six.service.internal." ask_short _six._tcp.service.internal SRV
  note "what is not there is NODATA or NXDOMAIN, and nothing below a name is lost by asking for it"
}

# More than a UDP reply has room for, on both ways.
check_large_answers() {
  local before
  register_crowd crowd 100
  before=$(asked tcp)
  words 100 ask_short crowd.service.internal A
  words 400 ask_short crowd.service.internal SRV
  (($(asked tcp) >= before + 2)) || fail "100 records came without TCP"
  note "100 addresses and 100 services, by TCP on both ways"
}

# check_kept [COUNT]: what is asked for again reaches Rollcall so often, 0 times if nothing is said.
check_kept() {
  register kept kept-1 '{"addresses": ["10.0.0.19"], "port": 80}'
  policy kept '{"ttl": "60s"}'
  costs 1 gives "10.0.0.19" ask_short kept.service.internal A
  costs "${1:-0}" gives "10.0.0.19" ask_short kept.service.internal A
  note "an answer that is asked for again costs Rollcall ${1:-0} more queries"
}

# A resolver in between keeps an answer for its TTL, and not longer.
check_ttls() {
  local i
  register brief brief-1 '{"addresses": ["10.0.0.14"], "port": 80}'
  register brief brief-2 '{"addresses": ["10.0.0.15"], "port": 80}'
  policy brief "{\"ttl\": \"${ttl}s\"}"
  gives "10.0.0.14 10.0.0.15" ask_short brief.service.internal A
  is "NXDOMAIN 0" late.service.internal A
  deregister brief brief-1
  register late late-1 '{"addresses": ["10.0.0.18"], "port": 80}'
  wait_until $((ttl + 2)) gone_from brief 10.0.0.14 ||
    fail "brief-1 is answered $((ttl + 2)) s after it left, with a TTL of $ttl s"
  wait_until $((ttl + 2)) found_in late 10.0.0.18 ||
    fail "late-1 is not answered $((ttl + 2)) s after it came, with a negative TTL of $ttl s"
  note "what left is gone, and what came is there, within the TTL of $ttl s"
  register fresh fresh-1 '{"addresses": ["10.0.0.16"], "port": 80, "weight": 1}'
  register fresh fresh-2 '{"addresses": ["10.0.0.17"], "port": 80, "weight": 3}'
  policy fresh '{"ttl": "0s", "answer_limit": 1}'
  costs 200 quickly ask_often 200 fresh.service.internal
  first=$(grep -c '^10.0.0.17$' <<<"$out")
  # 150 are expected; beyond six standard deviations is less than once in a hundred million runs.
  ((first > 113 && first < 187)) || fail "weight 3 of 4 was drawn $first times of 200"
  note "with a TTL of 0 each of 200 questions reaches Rollcall; weight 3 of 4 was drawn $first times"
}
gone_from() { ! ask_short "$1.service.internal" A | grep -qx "$2"; }
found_in() { ask_short "$1.service.internal" A | grep -qx "$2"; }
ask_often() { # COUNT NAME, in one process
  local i
  for ((i = 0; i < $1; i++)); do echo "$2 A"; done >"$scratch/questions"
  ask_short -f "$scratch/questions"
}

check_reverse() {
  # Not one that this host has: some answer for those themselves.
  register far far-1 '{"addresses": ["10.0.0.77"], "port": 80}'
  gives "far-1.instance.far.service.internal." ask_short -x 10.0.0.77
  is "NXDOMAIN 0" -x 10.0.0.99
  note "addresses have names: 10.0.0.77 is far-1.instance.far.service.internal"
}

# Each name goes to who knows it, and nowhere else.
check_nothing_leaks() {
  gives "$world_address" ask_short "$world_name" A
  [[ $(refused) == 0 ]] || fail "names of others were asked of Rollcall, which refused them"
  if world_knows 'service\.internal'; then fail "names of ours were asked of others"; fi
  note "names of others are not asked of Rollcall, nor ours of others"
}
