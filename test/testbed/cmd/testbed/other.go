//go:build !linux

package main

import (
	"context"

	"github.com/apm-deploy/apm/test/testbed/internal/node"
)

func run(context.Context, []string) error { return node.ErrCannot }
