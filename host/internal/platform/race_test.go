//go:build race

package platform_test

// slower is by how much the race detector slows a host down.
const slower = 10
