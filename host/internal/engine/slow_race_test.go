//go:build race

package engine_test

// slow: under the race detector the store takes ten times as long.
const slow = true
