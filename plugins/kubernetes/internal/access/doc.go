// Package access says whether a cluster can be worked with: whether it answers, knows
// our credentials, has the namespace, and grants the rights that are needed.
//
// It must never change anything of a cluster, and never try a right out: it asks.
package access
