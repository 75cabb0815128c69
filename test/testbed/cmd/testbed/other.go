//go:build !linux

package main

import (
	"context"
	"fmt"
	"os"

	"github.com/apm-deploy/apm/test/testbed/internal/node"
	"github.com/apm-deploy/apm/test/testbed/internal/place"
)

// run does what make test asks for; there is no node to do more with.
func run(_ context.Context, args []string) error {
	if len(args) != 1 || args[0] != "prepare" && args[0] != "settle" {
		return node.ErrCannot
	}
	if args[0] == "prepare" {
		fmt.Fprintf(os.Stderr, "testbed: tests that need Kubernetes are left out: %v\n", node.ErrCannot)
		return nil
	}
	repository, err := place.Repository(".")
	if err != nil {
		return err
	}
	dir, err := place.Directory(repository)
	if err == nil {
		node.ReportLeftOut(dir, os.Stderr)
	}
	return err
}
