// Package node runs a Kubernetes cluster of one node, all of it real, in network,
// process and mount namespaces of its own.
//
// Two processes of ours carry it. The supervisor (Serve) stands outside: it owns
// the link between the machine and the node, and a registry. The init process
// (Init) is the first one of the namespaces: it starts etcd, containerd and the
// parts of Kubernetes, and starts one anew that ends unasked. When the supervisor
// dies, init ends; when init ends the kernel ends everything else, and mounts,
// interfaces and packet filter rules go with the namespaces. What can be left by
// a kill is a directory and empty cgroups; Up and Down remove both.
//
// Nothing of the machine is changed: its sysctls, its packet filter and its
// directories below /run, /var/lib and /var/log are not those of the node.
package node
