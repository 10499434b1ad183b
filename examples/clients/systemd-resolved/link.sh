#!/bin/sh
# Instead of rollcall.conf: Rollcall as the server of a link of its own, which no other name is asked
# of. As root, at each start: a unit of its own, `Type=oneshot`, after systemd-resolved.service.
set -eu
# What has no address counts for nothing with systemd-resolved; this one is for documentation.
ip link add rollcall0 type "${LINK_TYPE:-dummy}"
ip address add 192.0.2.1/32 dev rollcall0
ip link set rollcall0 up
resolvectl dns rollcall0 127.0.0.1:8600
resolvectl domain rollcall0 '~service.internal' '~0.0.10.in-addr.arpa'
