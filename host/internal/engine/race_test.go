//go:build race

package engine_test

// raced: under the race detector the real store takes ten times as long, so that
// rigs have one in memory.
const raced = true
