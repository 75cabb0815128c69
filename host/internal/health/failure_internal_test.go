package health

import (
	"errors"
	"net"
	"net/url"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/apm-deploy/apm/host/internal/deployment"
)

// What no test can bring about on every machine: the errors of a network.
func TestExplain(t *testing.T) {
	t.Parallel()
	connect := func(errno syscall.Errno) error {
		return &url.Error{Op: "Get", URL: "http://u:hunter2@h", Err: &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", errno)}}
	}
	tests := map[string]struct {
		err  error
		want deployment.Health
		says string
	}{
		"no route of ours":      {connect(syscall.ENETUNREACH), deployment.Unknown, "no route to this network"},
		"network down":          {connect(syscall.ENETDOWN), deployment.Unknown, "network is down"},
		"table of files full":   {connect(syscall.ENFILE), deployment.Unknown, "fs.file-max"},
		"no ports left":         {connect(syscall.EADDRNOTAVAIL), deployment.Unknown, "no local address"},
		"own firewall":          {connect(syscall.EPERM), deployment.Unknown, "firewall"},
		"their machine is down": {connect(syscall.EHOSTUNREACH), deployment.Unhealthy, "other machine"},
		"kernel gave up":        {connect(syscall.ETIMEDOUT), deployment.Unhealthy, "timed out"},
		"reset":                 {connect(syscall.ECONNRESET), deployment.Unhealthy, "reset"},
		"name not there":        {&net.DNSError{Name: "shop", IsNotFound: true}, deployment.Unhealthy, `no such host name "shop"`},
		"resolver down":         {&net.DNSError{Name: "shop", IsTimeout: true}, deployment.Unknown, "resolver"},
		"anything else":         {errors.New("the sky fell"), deployment.Unhealthy, "the sky fell"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := explain(test.err)
			if got.status != test.want || !strings.Contains(got.message, test.says) {
				t.Errorf("got %+v, want %s saying %q", got, test.want, test.says)
			}
			if strings.Contains(got.message, "hunter2") {
				t.Errorf("message %q holds a secret", got.message)
			}
		})
	}
}

func TestLookupThatTakesTheTimeoutIsUnknown(t *testing.T) {
	t.Parallel()
	var s stage
	s.follow(t.Context())
	s.doing.Store(stageLookup)
	if got := s.timedOut(); got.status != deployment.Unknown {
		t.Errorf("got %+v", got)
	}
}
