package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/apm-deploy/apm/host/internal/access"
	"github.com/apm-deploy/apm/host/internal/app"
	"github.com/apm-deploy/apm/host/internal/config"
)

// Config is what is looked at.
type Config struct {
	// Config is config.hcl; nil when it cannot be read, for the reason that
	// ConfigErr gives.
	Config    *config.Config
	ConfigErr error
	DataDir   string
	// DataHome holds the data directories of other installations of this user.
	DataHome string
	// Version of this program.
	Version string
	// CleanUp is the command that removes what is left.
	CleanUp string
}

// skew is how far two clocks may be apart.
const skew = 2 * time.Second

// Examine makes every check and returns what it found, in the order in which a
// person would look.
func (c Config) Examine(ctx context.Context) []Finding {
	var findings []Finding
	findings = append(findings, c.configuration()...)
	findings = append(findings, c.dataDir()...)
	findings = append(findings, c.token())
	host, running := c.host(ctx)
	findings = append(findings, running)
	findings = append(findings, c.platforms(ctx, host)...)
	findings = append(findings, c.clock(ctx, host)...)
	if c.Config == nil {
		return findings
	}
	findings = append(findings, c.port(ctx, host))
	findings = append(findings, c.plugins(ctx)...)
	return append(findings, c.leftovers(ctx)...)
}

func (c Config) configuration() []Finding {
	const check = "config"
	if c.ConfigErr != nil {
		return []Finding{failed(check, c.ConfigErr)}
	}
	findings := []Finding{ok(check, "%s is valid", c.Config.File)}
	for _, w := range c.Config.Warnings {
		findings = append(findings, warn(check, w.Remedy, "%s", w.String()))
	}
	return findings
}

func (c Config) dataDir() []Finding {
	const check = "data directory"
	info, err := os.Stat(c.DataDir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return []Finding{ok(check, "%s is not there yet; the host makes it at its first start", c.DataDir)}
	case err != nil:
		return []Finding{fail(check, "see that the directories above it can be entered", "%s: %v", c.DataDir, err)}
	case !info.IsDir():
		return []Finding{fail(check, "move the file away, or name another directory", "%s is no directory", c.DataDir)}
	}
	probe, err := os.CreateTemp(c.DataDir, ".doctor-*")
	if err != nil {
		return []Finding{fail(check, "give the host's user the right to write there", "nothing can be written: %v", err)}
	}
	_, err = probe.WriteString("doctor")
	if err = errors.Join(err, probe.Sync(), probe.Close(), os.Remove(probe.Name())); err != nil {
		return []Finding{fail(check, "make room on the disk", "a file cannot be written: %v", err)}
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return []Finding{warn(check, "chmod 700 "+c.DataDir, "%s can be entered by others (mode %04o)", c.DataDir, mode)}
	}
	return []Finding{ok(check, "%s can be written", c.DataDir)}
}

func (c Config) token() Finding {
	const check = "token"
	_, err := access.ReadFile(c.DataDir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return ok(check, "there is none yet; the host makes one at its first start")
	case err != nil:
		return failed(check, err)
	default:
		return ok(check, "%s is readable by its owner only", filepath.Join(c.DataDir, access.File))
	}
}

// host says whether a host runs on the data directory.
func (c Config) host(ctx context.Context) (*liveHost, Finding) {
	const check = "host"
	host, err := askHost(ctx, c.DataDir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, ok(check, "none runs on the data directory")
	case err != nil:
		return nil, ok(check, "none runs on the data directory; the last one (%v) has ended", err)
	case host.health.Version != c.Version:
		return host, warn(check, "restart the host", "the host at %s (pid %d) has version %s, this program %s", host.url, host.health.PID, host.health.Version, c.Version)
	case host.health.Status != "ok":
		return host, fail(check, "its log says why", "the host at %s (pid %d) is %s", host.url, host.health.PID, host.health.Status)
	default:
		return host, ok(check, "runs at %s (pid %d, installation %s)", host.url, host.health.PID, host.health.Installation)
	}
}

// clock compares the machine's clock with the host's, and with the files that
// the host wrote: leases and histories need a clock that does not go back.
func (c Config) clock(ctx context.Context, host *liveHost) []Finding {
	const check = "clock"
	now := time.Now()
	if entries, err := os.ReadDir(c.DataDir); err == nil {
		for _, entry := range entries {
			if info, err := entry.Info(); err == nil && info.ModTime().Sub(now) > skew {
				return []Finding{fail(check, "set the clock, by NTP best", "%s was written %s in the future", entry.Name(), info.ModTime().Sub(now).Round(time.Second))}
			}
		}
	}
	if host == nil {
		return []Finding{ok(check, "%s, no file is newer", now.Format(time.RFC3339))}
	}
	apart, err := clockDifference(ctx, host.url)
	switch {
	case err != nil:
		return []Finding{warn(check, "", "the host's clock could not be read: %v", err)}
	case apart.Abs() > skew:
		return []Finding{warn(check, "set both clocks, by NTP best", "the host's clock is %s apart", apart.Abs())}
	default:
		return []Finding{ok(check, "agrees with the host's")}
	}
}

func clockDifference(ctx context.Context, url string) (time.Duration, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/healthz", http.NoBody)
	if err != nil {
		return 0, err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	// The Date header has whole seconds.
	date, err := http.ParseTime(answer.Header.Get("Date"))
	if err != nil {
		return 0, fmt.Errorf("read the Date header: %w", err)
	}
	return time.Since(date).Truncate(time.Second), nil
}

// port says whether the address of config.hcl is free, or the host's own.
func (c Config) port(ctx context.Context, host *liveHost) Finding {
	const check = "port"
	listen := c.Config.Server.Listen
	if host != nil {
		return ok(check, "%s is the host's", host.url)
	}
	hostname, port, err := net.SplitHostPort(listen)
	if err != nil {
		return fail(check, "write server.listen as host:port in config.hcl", "%v", err)
	}
	addresses := []string{hostname}
	if hostname == "localhost" {
		addresses = []string{"127.0.0.1", "::1"}
	}
	for i, address := range addresses {
		var listenConfig net.ListenConfig
		listener, err := listenConfig.Listen(ctx, "tcp", net.JoinHostPort(address, port))
		switch {
		case err == nil:
			err = listener.Close()
		case i > 0 && !errors.Is(err, syscall.EADDRINUSE):
			err = nil // a machine without IPv6 has no ::1
		}
		if err != nil {
			return fail(check, "end what holds it (ss -ltnp names it), or change server.listen in config.hcl", "%s cannot be listened on: %v", listen, err)
		}
	}
	return ok(check, "%s is free", listen)
}

// plugins verifies each checksum and starts each plugin once.
func (c Config) plugins(ctx context.Context) []Finding {
	catalog, err := app.Catalog(c.Config, nil)
	if err != nil {
		return []Finding{failed("plugins", err)}
	}
	var findings []Finding
	for _, p := range c.Config.Plugins() {
		check := "plugin " + p.Name
		if _, err := catalog.Verify(ctx, p.Name); err != nil {
			findings = append(findings, failed(check, err))
			continue
		}
		description, err := catalog.Inspect(ctx, p.Name)
		if err != nil {
			findings = append(findings, failed(check, err))
			continue
		}
		findings = append(findings, ok(check, "version %s starts, and its checksum is the one pinned", description.Version))
	}
	return findings
}

// leftovers lists what runs of installations without a host.
func (c Config) leftovers(ctx context.Context) []Finding {
	const check = "leftovers"
	left, err := c.Find(ctx, "")
	if err != nil {
		// It keeps no host from working.
		f := failed(check, err)
		f.State = Warn
		return []Finding{f}
	}
	if len(left) == 0 {
		return []Finding{ok(check, "nothing runs of an installation whose host does not")}
	}
	var findings []Finding
	for _, item := range left {
		findings = append(findings, warn(check, c.CleanUp+" removes it; a host that starts takes care of its own again", "%s", item))
	}
	return findings
}
