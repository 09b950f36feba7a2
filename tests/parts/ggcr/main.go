// Command ggcr serves go-containerregistry's registry, in memory, on one address until it is killed. It says on stderr
// where it listens.
//
// `crane registry serve` does the same, but cannot serve the referrers API.
package main

import (
	"flag"
	"log"
	"net"
	"net/http"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"
)

func main() {
	address := flag.String("address", "127.0.0.1:0", "where to listen")
	referrers := flag.Bool("referrers", false, "serve the referrers API of OCI 1.1")
	flag.Parse()
	listener, err := net.Listen("tcp", *address)
	if err != nil {
		log.Fatal(err)
	}
	log.Printf("listening on %s", listener.Addr())
	server := &http.Server{
		ReadHeaderTimeout: 5 * time.Second,
		Handler:           registry.New(registry.WithReferrersSupport(*referrers)),
	}
	log.Fatal(server.Serve(listener))
}
