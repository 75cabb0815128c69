// Package cluster is the way to one Kubernetes cluster: its clients, what of ours is
// stamped on an object, server-side apply, preconditions, what an object's desired state
// is and who owns it, and errors that name verb, resource and namespace.
//
// It knows nothing of operations, components under way, or of where a [rest.Config] came
// from. It must never keep a picture of the cluster: every answer is of the moment it is
// asked for, but for what kinds there are.
package cluster
