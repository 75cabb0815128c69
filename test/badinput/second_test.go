package badinput_test

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/apm-deploy/apm/test/harness"
)

// TestSecondHost starts hosts where one runs already, which does not notice.
func TestSecondHost(t *testing.T) {
	t.Parallel()
	h := harness.Started(t)
	if err := os.Symlink(h.Data, h.Path("other-way")); err != nil {
		t.Fatal(err)
	}
	before := files(t, h.Data, "-wal", "-shm")
	free := func() string { return fmt.Sprintf("localhost:%d", harness.FreePort(t)) }
	holder := fmt.Sprintf("is in use by pid %d (host local)", h.PID())
	mine := fmt.Sprintf("listen: 127.0.0.1:%d is in use by pid %d (", h.Port, h.PID())
	for name, c := range map[string]struct {
		arguments []string
		told
	}{
		"same data directory":                {[]string{"--listen", free()}, told{h.Data + "/apm.db", holder, "stop that host, or give this one a data directory of its own"}},
		"same data directory by another way": {[]string{"--listen", free(), "--data-dir", h.Path("other-way")}, told{h.Data + "/apm.db", holder, "stop that host"}},
		"same everything":                    {nil, told{h.Data + "/apm.db", holder, "stop that host"}},
		"same port":                          {[]string{"--data-dir", h.Path("elsewhere")}, told{"server.listen", mine, "end that process, or set another port"}},
		"same port, one address":             {[]string{"--data-dir", h.Path("elsewhere"), "--listen", fmt.Sprintf("127.0.0.1:%d", h.Port)}, told{"server.listen", mine, "end that process, or set another port"}},
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, h.CLI(append([]string{"serve", "--log-level", "error"}, c.arguments...)...), 1, told{c.where, c.wrong, c.todo})
			if health, err := h.Client.Health(t.Context()); err != nil || health.Status != "ok" || health.PID != h.PID() {
				t.Errorf("the first host: %+v, %v", health, err)
			}
			if p, err := h.Client.Plugin(t.Context(), "process"); err != nil || p.State != "ready" || p.Restarts != 0 {
				t.Errorf("the first host's plugin: %+v, %v", p, err)
			}
		})
	}
	differ(t, before, files(t, h.Data, "-wal", "-shm"))
}

// TestListen names addresses that cannot be listened on.
func TestListen(t *testing.T) {
	t.Parallel()
	h := harness.New(t)
	six, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		t.Fatalf("this machine has no IPv6: %v", err)
	}
	t.Cleanup(func() { _ = six.Close() })
	port := strconv.Itoa(six.Addr().(*net.TCPAddr).Port)
	for name, c := range map[string]struct {
		listen string
		code   int
		told
	}{
		"no address":                {"nonsense", 2, told{"--listen", `"nonsense" is no address`, "write host:port"}},
		"no port":                   {"localhost", 2, told{"--listen", `"localhost" is no address`, "write host:port"}},
		"a port too high":           {"localhost:65536", 2, told{"--listen", `"localhost:65536" is no address`, "write host:port"}},
		"a port by name":            {"localhost:http", 2, told{"--listen", `"localhost:http" is no address`, "write host:port"}},
		"control characters":        {"\x1b[31m:80", 2, told{"--listen", "is no address", "write host:port"}},
		"anonymous on every one":    {fmt.Sprintf("0.0.0.0:%d", h.Port), 1, told{"server.anonymous of config.hcl", "is possible on loopback only", `listen on "localhost:8080"`}},
		"anonymous on another host": {"apm.example:80", 1, told{"server.anonymous of config.hcl", "is possible on loopback only", "remove it there"}},
		"taken in one family":       {"localhost:" + port, 1, told{"server.listen", fmt.Sprintf("[::1]:%s is in use by pid %d (", port, os.Getpid()), "set another port"}},
		"not of this machine":       {"203.0.113.1:80", 1, told{"server.listen", "203.0.113.1:80 cannot be taken: cannot assign requested address", "name an address of this machine"}},
		"unknown name":              {"host.invalid:80", 1, told{"server.listen", "host.invalid:80 cannot be taken: lookup host.invalid", "name an address of this machine"}},
	} {
		t.Run(name, func(t *testing.T) {
			if !strings.Contains(c.where+c.wrong, "anonymous") && c.code == 1 && !strings.HasPrefix(c.listen, "localhost") {
				h.EditConfig("anonymous       = \"viewer\"", "")
				defer h.WriteConfig(h.DefaultConfig())
			}
			r := h.CLI("serve", "--log-level", "error", "--listen", c.listen)
			refused(t, r, c.code, told{c.where, c.wrong, c.todo})
			if c.code == 2 && !strings.Contains(r.Stderr, "apm serve --help shows how it is used") {
				t.Errorf("no way to the help: %s", r)
			}
		})
	}
	h.NothingLeft()
}
