package sqlite_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/apm-deploy/apm/host/internal/deployment"
	"github.com/apm-deploy/apm/host/internal/store/sqlite"
)

// BenchmarkCommit measures transitions of several targets at once.
func BenchmarkCommit(b *testing.B) {
	for _, targets := range []int{1, 16} {
		b.Run(fmt.Sprintf("targets=%d", targets), func(b *testing.B) {
			c := benchmarked(b)
			for i := range targets {
				a := build(deployment.Target{Application: "shop", Environment: fmt.Sprint(i)}, fmt.Sprint("d", i))
				if err := c.Accept(b.Context(), a); err != nil {
					b.Fatal(err)
				}
			}
			leases, err := c.Claim(b.Context(), "host-a", time.Hour)
			if err != nil || len(leases) != targets {
				b.Fatal(len(leases), err)
			}
			b.ResetTimer()
			var all sync.WaitGroup
			for _, lease := range leases {
				all.Go(func() {
					work, err := c.Work(b.Context(), lease.Target)
					for i := 0; err == nil && i < b.N/targets; i++ {
						err = c.Commit(b.Context(), next(work.Open[0], lease))
					}
					if err != nil {
						b.Error(err)
					}
				})
			}
			all.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "commits/s")
		})
	}
}

func benchmarked(b *testing.B) *sqlite.Store {
	b.Helper()
	s, err := sqlite.Open(b.Context(), sqlite.Config{Path: b.TempDir() + "/apm.db", Sealer: plain{}})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := s.Close(); err != nil {
			b.Error(err)
		}
	})
	return s
}
