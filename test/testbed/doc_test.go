// Package testbed_test shows that the testbed does what tests of plugins rely on:
// a real rollout, every fault of an image told apart, registries that fail, parts
// of the node that go and come back, and nothing left of a node that was killed.
package testbed_test
