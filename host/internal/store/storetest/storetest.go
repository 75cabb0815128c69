// Package storetest is what every store must do. It is for tests only.
package storetest

import (
	"testing"

	"github.com/apm-deploy/apm/host/internal/store"
)

// Run checks the store that open returns, a new and empty one each time, which
// open also closes when the test ends.
func Run(t *testing.T, open func(t *testing.T) store.Store) {
	for name, checks := range map[string]map[string]func(*fixture){
		"accept": acceptChecks, "command": commandChecks, "lease": leaseChecks, "commit": commitChecks,
		"list": listChecks, "read": readChecks, "feed": feedChecks, "registry": registryChecks,
		"ended": endedChecks, "retain": retainChecks, "concurrency": concurrencyChecks,
	} {
		t.Run(name, func(t *testing.T) {
			for name, check := range checks {
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					check(&fixture{T: t, Store: open(t), epochs: map[string]uint64{}})
				})
			}
		})
	}
}
