package platform_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/apm-deploy/apm/host/internal/platform"
	"github.com/apm-deploy/apm/sdk"
)

// floods are what a plugin pours out, and the most that a host may grow by.
var floods = map[string]func(context.Context, sdk.Platform) error{
	"1 GiB of stderr": func(ctx context.Context, p sdk.Platform) error {
		written, err := probe(ctx, p, fmt.Sprint("write ", (1<<30)/slower))
		if err == nil && written != "all" {
			err = errors.New(written)
		}
		return err
	},
	"500,000 events": func(ctx context.Context, p sdk.Platform) error {
		seen := 0
		err := p.Watch(ctx, sdk.WatchRequest{Target: sdk.Target{Component: fmt.Sprint(500_000 / slower)}}, func(events ...sdk.Event) error {
			seen += len(events)
			return nil
		})
		if err == nil && seen == 0 {
			err = errors.New("no event came")
		}
		return err
	},
}

const mostGrowth = 64 * mebi

// beFlooded is a host whose plugin pours out, which writes by how much it grew.
func beFlooded(dir, flood string) error {
	catalog, err := platform.NewCatalog(platform.CatalogConfig{
		Plugins: []platform.Plugin{{Name: "fault", Path: filepath.Join(dir, "apm-plugin-fault"), Dev: true}},
		DataDir: dir, RunDir: os.Getenv("APM_TEST_RUN"),
	})
	if err != nil {
		return err
	}
	s, err := platform.NewSupervisor(platform.SupervisorConfig{
		Catalog: catalog, Platforms: []platform.Spec{{Name: "one", Plugin: "fault"}}, Setup: setup(),
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	p, err := s.Await(ctx, "one")
	if err != nil {
		return err
	}
	before, err := mostMemory()
	if err != nil {
		return err
	}
	if err := floods[flood](ctx, p); err != nil {
		return err
	}
	after, err := mostMemory()
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "growth"), []byte(strconv.Itoa(after-before)), 0o600); err != nil {
		return err
	}
	return s.Close(ctx)
}

// mostMemory returns the most bytes that this process had so far.
func mostMemory() (int, error) {
	status, err := os.Open("/proc/self/status")
	if err != nil {
		return 0, err
	}
	defer func() { _ = status.Close() }()
	for lines := bufio.NewScanner(status); lines.Scan(); {
		if found := regexp.MustCompile(`^VmHWM:\s+(\d+) kB$`).FindStringSubmatch(lines.Text()); found != nil {
			kibi, err := strconv.Atoi(found[1])
			return kibi << 10, err
		}
	}
	return 0, errors.New("no VmHWM")
}

// A plugin that pours out does not make the host grow by more than 64 MiB.
func TestFloods(t *testing.T) {
	t.Parallel()
	for flood := range floods {
		t.Run(flood, func(t *testing.T) {
			t.Parallel()
			h := developed(t)
			host := exec.CommandContext(t.Context(), os.Args[0])
			host.Env = append(os.Environ(), envHost+"="+h.dir, envFlood+"="+flood, "APM_TEST_RUN="+h.run)
			if out, err := host.CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			content, err := os.ReadFile(filepath.Join(h.dir, "growth"))
			if err != nil {
				t.Fatal(err)
			}
			growth, err := strconv.Atoi(strings.TrimSpace(string(content)))
			if err != nil || growth > mostGrowth {
				t.Errorf("the host grew by %.1f MiB, %v", float64(growth)/mebi, err)
			}
			t.Logf("the host grew by %.1f MiB", float64(growth)/mebi)
		})
	}
}
