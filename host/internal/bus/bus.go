// Package bus says how news travels between the parts of a host, and later
// between hosts: a doorbell for what is stored, and a stream for what never is.
// It holds no truth: whatever is lost here is found in the store a little later,
// or was worth nothing any more.
package bus

import "github.com/apm-deploy/apm/host/internal/deployment"

// Bus carries news. All methods are safe for concurrent use, none blocks.
type Bus interface {
	// Ring says that the deployment has new rows; "" that any may have.
	Ring(deploymentID string)
	// Doorbell rings for one deployment, or for all of them (""). Rings that nobody
	// has answered yet are one ring. The function ends it and may be called again.
	Doorbell(deploymentID string) (<-chan struct{}, func())
	// Publish hands an ephemeral event (progress, log) to whoever listens now.
	Publish(event deployment.Event)
	// Subscribe listens to one deployment, or to all of them (""). To a slow
	// listener only the latest progress of each deployment is kept, and the last
	// lines of the log: how many are missing stands in the next line. The function
	// ends it, closes the channel and may be called again.
	Subscribe(deploymentID string) (<-chan deployment.Event, func())
}

// Cache keeps answers that can be made again. A missing one is normal.
type Cache interface {
	// Get returns a value that was set and is neither too old nor displaced. It
	// must not be changed.
	Get(key string) ([]byte, bool)
	// Set keeps a value, which must not be changed afterwards.
	Set(key string, value []byte)
	// Delete forgets a value.
	Delete(key string)
}
