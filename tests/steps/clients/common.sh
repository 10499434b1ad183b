# shellcheck shell=bash
# What the tests of clients share: a network of two hosts, Rollcall in one of them, and the means to
# tell what a client was told, how long it took and how often it asked. Sourced, not run.
#
#   host `servers`   10.0.0.2   Rollcall on port 53, and on 127.0.0.1:8600 for forwarders beside it
#                    10.0.0.3   a forwarder, where the client has one
#                    10.0.0.11… instances, fd00::11… as well
#                    10.0.0.53  the rest of the world
#   host `client`    10.0.0.9   whoever knows nothing but /etc/resolv.conf
source "$(dirname "${BASH_SOURCE[0]}")/../common.sh"

pages=$root/examples/clients
# A resolver that waits for a reply waits 5 s; a good one takes a millisecond. Far from both, and
# far from what a busy machine does to a process that starts.
quick_ms_max=1000

servers=rollcall-$$-srv
client=rollcall-$$-cli
http=http://127.0.0.1:8500
out='' # what the last command said
took=0 # how long it took, in milliseconds

in_servers() { ip netns exec "$servers" "$@"; }
in_client() { ip netns exec "$client" "$@"; }

# --- hosts ----------------------------------------------------------------------------------------

open_network() {
  need ip iproute2
  need curl curl
  need jq jq
  need dig bind9-dnsutils
  need_root "making network namespaces"
  need_binaries
  new_namespace "$servers"
  new_namespace "$client"
  ip -n "$servers" link add eth0 type veth peer name eth0 netns "$client"
  local last
  for last in 2 3 4 53 $(seq 11 19); do
    ip -n "$servers" addr add "10.0.0.$last/24" dev eth0
    ip -n "$servers" addr add "fd00::$last/64" dev eth0 nodad
  done
  ip -n "$client" addr add 10.0.0.9/24 dev eth0
  ip -n "$client" addr add fd00::9/64 dev eth0 nodad
  ip -n "$servers" link set eth0 up
  ip -n "$client" link set eth0 up
  mkdir -p "/etc/netns/$client"
  # Names come from DNS alone, whatever this machine's own files say.
  echo "hosts: dns" >"/etc/netns/$client/nsswitch.conf"
  : >"/etc/netns/$client/hosts"
}

# client_resolves_by FILE: the client's /etc/resolv.conf.
client_resolves_by() { cp "$1" "/etc/netns/$client/resolv.conf"; }

# client_asks ADDRESS: a resolv.conf of one line, for the tests whose subject is another file.
client_asks() { echo "nameserver $1" >"/etc/netns/$client/resolv.conf"; }

# run_at_servers LOG COMMAND…: in the background, until the end of the test; $! is its process.
run_at_servers() {
  local log=$scratch/$1.log
  shift
  ip netns exec "$servers" "$@" >"$log" 2>&1 &
  pids+=($!)
}

# --- Rollcall -------------------------------------------------------------------------------------

# crash PID: as if the machine had gone, without a farewell.
crash() {
  kill -KILL "$1"
  # The shell would report it.
  wait "$1" 2>/dev/null || true
}

# start_rollcall [FLAGS…]
start_rollcall() {
  mkdir -p "$scratch/rollcall"
  run_at_servers rollcall sh -c 'cd "$1" && shift && exec "$@"' sh "$scratch/rollcall" \
    "$rollcall" serve --data data --dns 127.0.0.1:8600 --dns 10.0.0.2:53 --dns '[fd00::2]:53' \
    --http 127.0.0.1:8500 "$@"
  wait_until 15 in_servers curl -fsS -o /dev/null -m 2 http://127.0.0.1:8500/ready ||
    fail "Rollcall is not ready after 15 s"
}

# start_second [FLAGS…]: another Rollcall, with a registry of its own, on 10.0.0.4; its process is
# `second_pid`, and `http=$second` before a command means it.
second=http://127.0.0.1:8501
start_second() {
  mkdir "$scratch/second"
  run_at_servers second sh -c 'cd "$1" && shift && exec "$@"' sh "$scratch/second" \
    "$rollcall" serve --data data --dns 10.0.0.4:53 --http 127.0.0.1:8501 "$@"
  second_pid=$!
  wait_until 15 in_servers curl -fsS -o /dev/null -m 2 $second/ready ||
    fail "the second server is not ready"
}

# What its certificate calls it, which is no name that a client could resolve.
tls_name=dns.corp.internal
# The authority that clients are told to trust; and another one, which nobody's certificate is of.
authority=$scratch/authority.pem stranger=$scratch/stranger.pem

# make_certificates: an authority as companies have them, and a certificate of it for Rollcall;
# `encrypted` are the flags that go with it.
make_certificates() {
  need openssl openssl
  local name=(-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2)
  {
    openssl req -x509 "${name[@]}" -subj "/CN=authority" -keyout "$scratch/authority.key" \
      -out "$authority"
    openssl req -x509 "${name[@]}" -subj "/CN=stranger" -keyout /dev/null -out "$stranger"
    openssl req -x509 "${name[@]}" -subj "/CN=$tls_name" -keyout "$scratch/tls.key" \
      -CA "$authority" -CAkey "$scratch/authority.key" -addext basicConstraints=CA:FALSE \
      -addext "subjectAltName=DNS:$tls_name,IP:10.0.0.2" -out "$scratch/tls.pem"
  } 2>"$scratch/openssl.log" || fail "no certificates: $(<"$scratch/openssl.log")"
  encrypted=(--dns-tls 10.0.0.2:853 --dns-https 10.0.0.2:443 --dns-quic 10.0.0.2:853
    --tls-certificate "$scratch/tls.pem" --tls-key "$scratch/tls.key")
}

# trusts HOST FILE: what is started on that host from now on trusts this authority and no other, as
# if the system's package of authorities had nothing else.
trusts() {
  local folder=/etc/netns/$1/ssl
  mkdir -p "$folder/certs"
  cp "$2" "$folder/certs/ca-certificates.crt"
  # OpenSSL looks for a file by the hash of the name.
  rm -f "$folder"/certs/*.0
  cp "$2" "$folder/certs/$(openssl x509 -noout -hash -in "$2").0"
}

# request METHOD PATH [BODY]
request() {
  in_servers curl -fsS -m 5 -o /dev/null -X "$1" "$http/api/v1/$2" ${3:+-d "$3"} || fail "$1 $2 ${3:-}"
}
register() { request PUT "services/$1/instances/$2" "$3"; } # SERVICE INSTANCE BODY
deregister() { request DELETE "services/$1/instances/$2"; } # SERVICE INSTANCE
policy() { request PUT "services/$1/policy" "$2"; }         # SERVICE BODY

# register_pool: what the tests look up. `web` has IPv4 only, `six` IPv6 only, `both` has both.
register_pool() {
  local i
  for i in 1 2 3; do
    register web "web-$i" "{\"addresses\": [\"10.0.0.1$i\"], \"port\": 8080, \"tags\": [\"v$i\"]}"
  done
  register six six-1 '{"addresses": ["fd00::11"], "port": 8080}'
  register both both-1 '{"addresses": ["10.0.0.11", "fd00::11"], "port": 8080}'
}

# register_crowd SERVICE COUNT: so many addresses that no UDP reply has them all.
register_crowd() {
  local body
  body=$(jq -nc --arg service "$1" --argjson count "$2" '[range($count) | {service: $service,
    instance: "i\(.)", port: 8080, addresses: ["10.1.\(. / 250 | floor).\(. % 250 + 1)"]}]')
  request POST instances "$body"
  policy "$1" '{"answer_limit": 1000}'
}

# start_service SERVICE INSTANCE ADDRESS [FLAGS…]: the example service, which says its own name, and
# serves on for that long after it has left.
grace=100ms
start_service() {
  local name=$1 instance=$2 address=$3
  shift 3
  run_at_servers "$instance" "$service" --service "$name" --instance "$instance" \
    --listen "$address:8080" --server http://127.0.0.1:8500 --grace "$grace" "$@"
}

# asked [TRANSPORT]: how many queries Rollcall has had so far.
asked() {
  in_servers curl -fsS -m 5 "$http/metrics" |
    awk -v of="transport=\"${1:-}" '/^rollcall_dns_queries_total/ && index($0, of) { n += $2 }
      END { print n + 0 }'
}

# refused: how often it said REFUSED, which it says to names that are not its own.
refused() {
  in_servers curl -fsS -m 5 "$http/metrics" |
    awk '/^rollcall_dns_responses_total.*REFUSED/ { n += $2 } END { print n + 0 }'
}

# --- the rest of the world ------------------------------------------------------------------------

# A name server for some names that are not Rollcall's; it knows nothing else, and it writes down
# what it is asked. They are below `internal`, as names of others in a company are, so that what is
# trusted without a signature for Rollcall's sake is trusted there.
world_name=www.corp.internal
world_address=198.18.0.80
# With both families; and with more addresses than a UDP reply has room for.
world_both=both.corp.internal world_both_addresses="198.18.0.81 2001:db8::81"
world_crowd=crowd.corp.internal
start_world() {
  need dnsmasq dnsmasq-base
  local i crowd=()
  for ((i = 1; i <= 100; i++)); do crowd+=("--host-record=$world_crowd,198.18.1.$i"); done
  # Not --no-daemon, with which nobody else is answered while a TCP connection lasts.
  run_at_servers world dnsmasq --keep-in-foreground --user=root --pid-file= --log-facility=- \
    --conf-file=/dev/null --no-resolv --no-hosts --listen-address=10.0.0.53 \
    --bind-interfaces --log-queries --cache-size=0 --local-ttl=60 --local=/corp.internal/ \
    --local=/cluster.example/ --host-record="$world_name,$world_address" \
    --host-record="$world_both,${world_both_addresses/ /,}" "${crowd[@]}"
  world_pid=$!
  wait_until 10 world_answers || fail "the rest of the world does not answer"
}
world_answers() {
  [[ $(in_servers dig +short +time=1 @10.0.0.53 "$world_name") == "$world_address" ]]
}
world_knows() { grep -qi -- "query.*$1" "$scratch/world.log"; }
world_was_asked() { grep -ci -- "query.*$1" "$scratch/world.log" || true; }

# --- what is expected -----------------------------------------------------------------------------

# quickly COMMAND…: its output and its time; fails when it took as long as one that had to wait.
quickly() {
  local before code=0
  before=$(date +%s%N)
  out=$("$@" 2>"$scratch/quickly.err") || code=$?
  took=$((($(date +%s%N) - before) / 1000000))
  ((took < quick_ms_max)) || fail "$*: $took ms, something has waited"
  return "$code"
}

# gives WANTED COMMAND…: the words of its output, whatever their order.
gives() {
  local wanted=$1 words
  shift
  quickly "$@" || fail "$*: code $?: $out $(<"$scratch/quickly.err")"
  words=$(tr -s ' \n' '\n\n' <<<"$out" | sort | xargs)
  [[ $words == "$(tr ' ' '\n' <<<"$wanted" | sort | xargs)" ]] ||
    fail "$*: expected \`$wanted\`, got \`$words\`"
}

# refuses CODE COMMAND…: it ends with that code (a pattern), and at once.
refuses() {
  local wanted=$1 code=0
  shift
  quickly "$@" || code=$?
  # shellcheck disable=SC2053
  [[ $code == $wanted ]] || fail "$*: expected code $wanted, got $code: $out"
}

# costs COUNT COMMAND…: exactly that many queries reach Rollcall. More mean that the client did not
# take the first answer.
costs() { costs_over '' "$@"; }

# costs_over TRANSPORT COUNT COMMAND…: so many over that one (https, quic, tcp, tls, udp), whatever
# came over others.
costs_over() {
  local over=$1 wanted=$2 before now
  shift 2
  before=$(asked "$over")
  "$@"
  now=$(asked "$over")
  ((now - before == wanted)) ||
    fail "$*: expected $wanted queries${over:+ over $over}, Rollcall had $((now - before))"
}

# words COUNT COMMAND…: how many words it says.
words() {
  local wanted=$1
  shift
  quickly "$@" || fail "$*: $out $(<"$scratch/quickly.err")"
  [[ $(wc -w <<<"$out") == "$wanted" ]] || fail "$*: expected $wanted words, got $(wc -w <<<"$out")"
}
