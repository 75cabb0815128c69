// Package manifest reads the documents of Kubernetes manifests, from files,
// directories and text, and says what is wrong with them: with file, line, number
// of the document and path within it.
//
// It knows nothing of a cluster and must never ask one; which kinds there are beside
// those of Kubernetes itself, and in which namespace they live, is for others to find
// out.
package manifest
