// Package testbed gives tests a real Kubernetes cluster of one node: its API
// server, scheduler, controllers, kubelet and containers, registries that can
// fail, and small images that behave as their tag says.
//
// All tests of a checkout share one node. Whoever comes first starts it, and it
// goes when nobody has used it for a while, at the end of make test, or with make
// cluster-down. A test works in a namespace of its own, and never changes what
// others see: a test that stops or freezes a part of the node takes an Isolated
// one.
package testbed
