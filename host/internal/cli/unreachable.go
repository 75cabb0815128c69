package cli

import (
	"errors"
	"fmt"
	"net"
	"net/url"

	"github.com/apm-deploy/apm/host/internal/deployment"
)

// unreachable explains an error of the connection itself: which URL was tried,
// and how a host is started there. Any other error stays as it is.
func (r *remote) unreachable(err error) error {
	var network *url.Error
	var dial *net.OpError
	if !errors.As(err, &network) && !errors.As(err, &dial) {
		return err
	}
	cause := err
	if network != nil {
		cause = network.Err
	}
	remedy := "check the address, or name another host with --url or APM_URL"
	if loopback(r.door.url) {
		remedy = "start one with: " + r.session.again("serve") + "; or name another host with --url or APM_URL"
	}
	return &deployment.Error{
		Code:    deployment.Unavailable,
		Message: fmt.Sprintf("no host answers at %s: %v", r.door.url, cause),
		Remedy:  remedy,
		Err:     err,
	}
}
