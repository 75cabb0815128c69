//go:build !race

package engine_test

// slow says that the store is too slow here for more than a few points of each
// matrix.
const slow = false
