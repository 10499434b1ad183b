#!/bin/sh
# The same question in every way that there is, by kdig: what each says, or why it says nothing.
#
#     every-way.sh 10.0.0.2 dns.corp.internal web.service.internal A
#
# The server, the name that its certificate is for, and what is asked.
set -u
server=$1 host=$2 name=$3 type=$4
for way in +notcp +tcp +tls +https +https-get +quic; do
    set -- +short +retry=0 +timeout=2
    case $way in
    +notcp | +tcp) ;;
    # The system's authorities are trusted. Before +quic: kdig 3.2 does not survive it behind.
    *) set -- "$@" +tls-ca "+tls-hostname=$host" ;;
    esac
    case $way in +https-get) set -- "$@" +https ;; esac
    said=$(kdig "$@" "$way" "@$server" "$name" "$type" 2>&1) ||
        said="FAILED: $(echo "$said" | head -n 1)"
    echo "$way: $(echo "$said" | sort | xargs)"
done
