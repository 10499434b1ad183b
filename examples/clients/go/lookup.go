// Lookup shows what Go's own resolver, which is used when cgo is off, finds and in which order.
//
//	go run lookup.go addresses web.service.internal
//	go run lookup.go services web service.internal         (_web._tcp.service.internal)
//	go run lookup.go -server 127.0.0.1:8600 addresses web.service.internal
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"strings"
	"time"
)

// resolver asks the servers of /etc/resolv.conf, or one that has a port of its own.
func resolver(server string) *net.Resolver {
	resolver := &net.Resolver{PreferGo: true}
	if server != "" {
		resolver.Dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
			// `network` is udp, or tcp after a reply that was cut.
			return (&net.Dialer{Timeout: time.Second}).DialContext(ctx, network, server)
		}
	}
	return resolver
}

func lookup(ctx context.Context, resolver *net.Resolver, words []string) (string, error) {
	if words[0] == "addresses" {
		addresses, err := resolver.LookupHost(ctx, words[1])
		return strings.Join(addresses, " "), err
	}
	// By priority, and within one drawn by weight: the first one is the one to use.
	_, services, err := resolver.LookupSRV(ctx, words[1], "tcp", words[2])
	var lines []string
	for _, each := range services {
		lines = append(lines, fmt.Sprintf("%s:%d/%d", each.Target, each.Port, each.Weight))
	}
	return strings.Join(lines, "\n"), err
}

func main() {
	server := flag.String("server", "", "`address:port` instead of /etc/resolv.conf")
	count := flag.Int("n", 1, "how many lookups, one after the other")
	flag.Parse()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	for i := 0; i < *count; i++ {
		said, err := lookup(ctx, resolver(*server), flag.Args())
		var failure *net.DNSError
		switch {
		case err == nil:
			fmt.Println(said)
		case errors.As(err, &failure) && failure.IsNotFound:
			// No such name, or no such record: Go does not tell them apart.
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		default:
			fmt.Fprintln(os.Stderr, err)
			os.Exit(4)
		}
	}
}
