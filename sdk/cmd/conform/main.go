// Command conform runs the conformance suite of the plugin contract on a binary,
// in any language.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/apm-deploy/apm/sdk/conform"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	// The default action comes back with the first signal, for the second.
	context.AfterFunc(ctx, stop)
	os.Exit(conform.Main(ctx, conform.System(), os.Args[1:]))
}
