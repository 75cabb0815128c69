package engine

import (
	"context"
	"sync"

	"github.com/apm-deploy/apm/host/internal/deployment"
)

// inOrder runs do for every name of the graph after those it depends on,
// independent ones side by side. The first error stops the others and is
// returned when all have stopped.
func inOrder(ctx context.Context, graph deployment.Graph, do func(context.Context, string) error) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	ended := make(map[string]chan struct{}, len(graph))
	for name := range graph {
		ended[name] = make(chan struct{})
	}
	var all sync.WaitGroup
	var once sync.Once
	var first error
	for name, dependencies := range graph {
		all.Add(1)
		go func() {
			defer all.Done()
			for _, dependency := range dependencies {
				waited, there := ended[dependency]
				if !there {
					continue
				}
				select {
				case <-waited:
				case <-ctx.Done():
					return
				}
			}
			if ctx.Err() != nil {
				return
			}
			if err := do(ctx, name); err != nil {
				once.Do(func() { first = err })
				stop(errSibling)
				return
			}
			close(ended[name])
		}()
	}
	all.Wait()
	if first == nil && ctx.Err() != nil {
		first = context.Cause(ctx)
	}
	return first
}
