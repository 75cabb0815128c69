// Package resolve is what a component may ask for, and how it is frozen: files, tags
// and names become a release, and all that is wrong with them is said before anything
// of a cluster is changed.
//
// It must never change anything of a cluster. It knows nothing of operations.
package resolve
