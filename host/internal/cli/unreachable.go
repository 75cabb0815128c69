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
func (s *session) unreachable(err error) error {
	var network *url.Error
	var dial *net.OpError
	if s.reached == "" || problemOf(err) != nil || (!errors.As(err, &network) && !errors.As(err, &dial)) {
		return err
	}
	cause := err
	if network != nil {
		cause = network.Err
	}
	remedy := "check the address, or name another host with --url or APM_URL"
	switch {
	case network != nil && network.Timeout():
		remedy = "see the host's log for what keeps it, or name another host with --url or APM_URL"
	case loopback(s.reached):
		remedy = "start one with: " + s.again("serve") + "; or name another host with --url or APM_URL"
	}
	return &deployment.Error{
		Code:    deployment.Unavailable,
		Message: fmt.Sprintf("no host answers at %s: %v", s.reached, cause),
		Remedy:  remedy,
		Err:     err,
	}
}
