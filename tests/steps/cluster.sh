# shellcheck shell=bash
# docker/compose.cluster.yaml, as the step `docker` runs it: the servers from the image that it has
# built, and for etcd's public image this machine's etcd, under the same commands at the same
# addresses. Sourced by it, for `join`, `contain` and the image.

cluster=docker/compose.cluster.yaml
load_compose "$cluster"

images=$(jq -r '[.services[].image] | unique | join(" ")' <<<"$composed")
[[ $images =~ ^gcr\.io/etcd-development/etcd:v3\.[0-9]+\.[0-9]+\ rollcall$ ]] ||
  fail "$cluster has other images than one etcd and Rollcall's: $images"
jq -e '[.services[] | select(.image == "rollcall") | .build.dockerfile] |
  unique == ["docker/Dockerfile"]' <<<"$composed" >/dev/null ||
  fail "$cluster builds rollcall from another file"
# Three commands that differ in name and address only are one command.
for kind in etcd rollcall; do
  same=$(jq -r --arg kind "$kind" '[.services | to_entries[] | select(.key | startswith($kind)) |
    .key as $name | .value.networks.cluster.ipv4_address as $address | .value.command | join(" ") |
    sub("--initial-cluster=\\S+"; "") | gsub($name; "NAME") | gsub($address + ":"; "ADDRESS:")] |
    unique | length' <<<"$composed")
  # A server names the members, its own address among none of them.
  [[ $same == 1 ]] || fail "$cluster: the commands of $kind-1 to $kind-3 differ"
done
note "$cluster: valid, with the images $images"

for i in 1 2 3; do
  join "etcd-$i"
  mapfile -t command < <(compose_command "etcd-$i")
  # The volume of that name.
  command=("${command[@]/#--data-dir=*/--data-dir=$scratch/volume-etcd-$i}")
  ip netns exec "rollcall-$$-etcd-$i" "${command[@]}" >"$scratch/etcd-$i.log" 2>&1 &
  pids+=($!)
  members[i]=$!
done
for i in 1 2 3; do
  mapfile -t command < <(image_command rollcall; compose_command "rollcall-$i")
  contain "rollcall-$i" "$server_tree" env \
    "ROLLCALL_CLUSTER_SERVER_ID=$(of_compose ".services[\"rollcall-$i\"].environment.ROLLCALL_CLUSTER_SERVER_ID")" \
    "${command[@]}"
  servers[i]=${pids[-1]}
done

at_server() { # NUMBER COMMAND…
  local namespace=rollcall-$$-rollcall-$1
  shift
  ip netns exec "$namespace" "$@"
}
knows_all() {
  at_server "$1" curl -fsS -m 2 http://127.0.0.1:8500/metrics | grep -qx 'rollcall_cluster_servers 3'
}
for i in 1 2 3; do
  wait_until 30 knows_all "$i" || fail "rollcall-$i does not know the other two after 30 s"
done
mapfile -t health < <(of_compose '.services["rollcall-1"].healthcheck.test[1:][]')
at_server 1 chroot --userspec=65532:65532 --groups= "$server_tree" "${health[@]}" \
  >"$scratch/cluster-health.log" 2>&1 || fail "the health check: ${health[*]}"
mapfile -t health < <(of_compose '.services["etcd-1"].healthcheck.test[1:][]')
ip netns exec "rollcall-$$-etcd-1" env ETCDCTL_API=3 "${health[@]}" \
  >"$scratch/etcd-health.log" 2>&1 || fail "the health check: ${health[*]}"
note "three servers of the image know one another through three members of etcd; all are healthy"

put_at() { # NUMBER INSTANCE
  at_server "$1" curl -fsS -m 10 -o /dev/null -X PUT \
    "http://127.0.0.1:8500/api/v1/services/web/instances/$2" \
    -d '{"addresses": ["10.0.1.6"], "port": 8080}'
}
found_at() { # NUMBER INSTANCE
  [[ $(at_server "$1" dig +short +time=1 +tries=1 @127.0.0.1 "$2.instance.web.service.internal") == 10.0.1.6 ]]
}
put_at 1 web-1 || fail "rollcall-1 takes no registration"
for i in 1 2 3; do
  wait_until 5 found_at "$i" web-1 || fail "rollcall-$i does not answer what rollcall-1 was told"
done
kill -KILL "${members[1]}"
wait_until 20 put_at 2 web-2 || fail "without one member of etcd nothing is taken"
wait_until 5 found_at 3 web-2 || fail "rollcall-3 does not hear of it"
stop "${servers[1]}" 30 || fail "rollcall-1 ended with code $?"
found_at 2 web-1 || fail "what rollcall-1 was told has gone with it"
note "what one was told is answered by all, without a member of etcd, and without that server"
