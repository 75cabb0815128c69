package node

import "errors"

// ErrCannot is wrapped by errors that say why this machine cannot run a node.
var ErrCannot = errors.New("no Kubernetes node can run on this machine")
