package platform_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"

	"github.com/apm-deploy/apm/host/internal/platform"
	"github.com/apm-deploy/apm/sdk"
)

// The hazards of go-plugin that were measured, in the order of the table in the
// plugin protocol, each with what proves the remedy:
//
//	host SIGKILLed                   TestHazardHostKilled (lifeline alone, death signal alone)
//	frozen plugin                    TestPluginFrozen, TestHazardFrozenWhileDraining, TestHazardFrozenInConfigure
//	message of 5 MiB                 TestHazardLargeMessages
//	SecureConfig used twice          TestHazardChecksumAtEachStart
//	Kill while calls run             TestHazardCallsUnderWay
//	stdout before the handshake      TestStartErrors/prints_to_stdout, TestHazardPrintsAreLinted
//	host environment inherited       TestEnvironmentIsNotInherited
//	UnixSocketConfig.TempDir         TestHazardRunDirectory
//	AutoMTLS uses P-521              TestHazardCertificates
//	AutoMTLS with Reattach           TestHazardNoReattach
//	pins old grpc                    TestHazardGRPCIsCurrent
//	Client() fails without Kill()    TestStartErrors: the house's end finds every process that is left
//	long binaries start late         TestHazardBinariesAreStripped

// What keeps a plugin from outliving its host: the lifeline, and where nobody looks
// at that, the kernel. Each is enough without the other, and without a look at the
// parent.
func TestHazardHostKilled(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func(*house) func(plugin int){
		"lifeline alone": func(h *house) func(int) {
			// Not the host's child, nor in its group, from the beginning.
			binary := filepath.Join(h.dir, "real")
			if err := os.Link(built["1.2.3"], binary); err != nil {
				h.t.Fatal(err)
			}
			h.write("#!/bin/sh\n( setsid sh -c 'sleep 0.2; exec "+binary+"' & )\nexec sleep 3600\n", 0o755)
			return func(plugin int) { h.t.Cleanup(func() { _ = syscall.Kill(plugin, syscall.SIGKILL) }) }
		},
		"death signal alone": func(h *house) func(int) {
			h.control("mode", "become")
			return func(plugin int) {
				h.control("become", "")
				eventually(h.t, "it is another program", func() bool {
					name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", plugin))
					return err == nil && string(name) == "sleep\n"
				})
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t)
			started := prepare(h)
			host := h.host()
			plugin := h.starts()[0]
			started(plugin)
			if !alive(plugin) {
				t.Fatal("the plugin does not run")
			}
			killed := time.Now()
			killHost(t, host)
			eventually(t, "the plugin is gone", func() bool { return !alive(plugin) })
			if took := time.Since(killed); took > 3*time.Second {
				t.Errorf("the plugin lived on for %v", took)
			}
			// A next host would sweep.
			if err := errors.Join(os.RemoveAll(h.run), os.Mkdir(h.run, 0o700)); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// A plugin that is frozen while it is drained holds nobody up.
func TestHazardFrozenWhileDraining(t *testing.T) {
	t.Parallel()
	h := developed(t)
	h.hold.Times = platform.Times{Ping: 200 * time.Millisecond, Answer: time.Second}
	s := h.supervise()
	await(t, s)
	pid := s.States()[0].PID
	freeze(t, pid)
	began := time.Now()
	if err := s.Restart("one"); err != nil {
		t.Fatal(err)
	}
	await(t, s)
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
}

// A plugin that is frozen before it is ready is found as one that is.
func TestHazardFrozenInConfigure(t *testing.T) {
	t.Parallel()
	h := developed(t)
	h.hold.Times = platform.Times{Ping: 200 * time.Millisecond, Answer: time.Second, BackoffMin: time.Hour, BackoffMax: time.Hour}
	h.control("mode", "hang-in-configure")
	s := h.supervise()
	eventually(t, "it hangs", func() bool { return len(h.noted("hangs")) == 1 })
	h.control("mode", "")
	freeze(t, h.starts()[0])
	frozen := time.Now()
	await(t, s)
	if took := time.Since(frozen); took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
	if !strings.Contains(h.log.String(), "did not answer for 1s and was killed") {
		t.Errorf("the log does not say why:\n%s", h.log)
	}
}

// Both sides take messages beyond gRPC's 4 MiB, and refuse those beyond 16 MiB.
func TestHazardLargeMessages(t *testing.T) {
	t.Parallel()
	h := developed(t)
	got := await(t, h.supervise())
	deploy := func(size int) (string, error) {
		handle, err := got.Deploy(t.Context(), sdk.DeployRequest{
			Target: someTarget, Operation: sdk.Operation{ID: "operation", Epoch: 1}, Release: sdk.Release{State: make([]byte, size)},
		})
		return string(handle.State), err
	}
	if took, err := deploy(5 * mebi); err != nil || took != "5242880" {
		t.Errorf("5 MiB to the plugin: %q, %v", took, err)
	}
	snapshot := func(size string) (int, error) {
		result, err := got.Snapshot(t.Context(), sdk.SnapshotRequest{Target: sdk.Target{Component: size}})
		return len(result.Snapshot.State), err
	}
	if n, err := snapshot("5242880"); err != nil || n != 5*mebi {
		t.Errorf("5 MiB from the plugin: %d, %v", n, err)
	}
	var refused *sdk.Error
	if _, err := deploy(16*mebi + 1); !errors.As(err, &refused) {
		t.Errorf("16 MiB + 1 to the plugin: %v", err)
	}
	if _, err := snapshot("16777217"); !errors.As(err, &refused) {
		t.Errorf("16 MiB + 1 from the plugin: %v", err)
	}
	if _, err := probe(t.Context(), got, ""); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// The checksum holds for the second and the third start as for the first: what
// runs is a private copy, whose place nobody else can write to.
func TestHazardChecksumAtEachStart(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.lock()
	s := h.supervise()
	for range 3 {
		await(t, s)
		state := s.States()[0]
		runs, err := os.Readlink("/proc/" + h.noted("starts")[len(h.noted("starts"))-1] + "/exe")
		if want := filepath.Join(h.dir, "plugins", state.SHA256, "fault"); err != nil || runs != want {
			t.Errorf("it runs %s, not %s, %v", runs, want, err)
		}
		if err := syscall.Kill(state.PID, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		eventually(t, "another process is ready", func() bool {
			now := s.States()[0]
			return now.Phase == platform.Ready && now.PID != state.PID
		})
	}
}

var someTarget = sdk.Target{Application: "shop", Environment: "test", Component: "web", Version: "v1"}

// A call that changes something is let end before its process is.
func TestHazardCallsUnderWay(t *testing.T) {
	t.Parallel()
	h := developed(t)
	s := h.supervise()
	old := await(t, s)
	deployed := make(chan error, 1)
	go func() {
		_, err := old.Deploy(context.Background(), sdk.DeployRequest{
			Target: someTarget, Operation: sdk.Operation{ID: "operation", Epoch: 1},
		})
		deployed <- err
	}()
	eventually(t, "the call is under way", func() bool { return len(h.noted("deploying")) == 1 })
	if err := s.Restart("one"); err != nil {
		t.Fatal(err)
	}
	if err := <-deployed; err != nil {
		t.Errorf("the call under way: %v", err)
	}
	if len(h.noted("deployed")) != 1 {
		t.Error("it was cut off")
	}
	await(t, s)
}

// Plugins in Go are kept from standard output by the linter.
func TestHazardPrintsAreLinted(t *testing.T) {
	t.Parallel()
	if !regexp.MustCompile(`(?s)forbidigo:.*pattern: \^fmt\\\.Print`).MatchString(read(t, "../../../.golangci.yaml")) {
		t.Error(".golangci.yaml does not forbid fmt.Print")
	}
}

// The socket lies in a directory of the start's own, which nobody else may look
// into, and which goes with the process however that ends.
func TestHazardRunDirectory(t *testing.T) {
	t.Parallel()
	h := developed(t)
	s := h.supervise()
	await(t, s)
	directory := func() string {
		t.Helper()
		found, err := filepath.Glob(filepath.Join(h.run, "apm-plugin-*"))
		if err != nil || len(found) != 1 {
			t.Fatalf("run directories: %v, %v", found, err)
		}
		return found[0]
	}
	first := directory()
	info, err := os.Stat(first)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	entries, err := os.ReadDir(first)
	sockets := 0
	for _, entry := range entries {
		if entry.Type() == os.ModeSocket {
			sockets++
		}
	}
	if err != nil || sockets != 1 {
		t.Errorf("%d sockets in it: %v, %v", sockets, entries, err)
	}
	before := s.States()[0].PID
	if err := syscall.Kill(before, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "another process is ready", func() bool {
		state := s.States()[0]
		return state.Phase == platform.Ready && state.PID != before
	})
	if second := directory(); second == first {
		t.Error("two starts have one run directory")
	}
}

// Both certificates are fresh at each start, and of the curve that gRPC takes in
// every language.
func TestHazardCertificates(t *testing.T) {
	t.Parallel()
	h := developed(t)
	seen := map[string]bool{}
	for range 2 {
		line, err := platform.Handshake(t.Context(), h.catalog(), "fault")
		if err != nil {
			t.Fatal(err)
		}
		parts := strings.Split(line, "|")
		plugins, err := base64.RawStdEncoding.DecodeString(parts[len(parts)-1])
		if err != nil {
			t.Fatal(err)
		}
		environment := strings.Join(h.noted("environment"), "\n")
		hosts, _ := pem.Decode([]byte(environment[strings.LastIndex(environment, "-----BEGIN CERTIFICATE"):]))
		if hosts == nil {
			t.Fatal("the plugin got no certificate")
		}
		for whose, der := range map[string][]byte{"host": hosts.Bytes, "plugin": plugins} {
			certificate, err := x509.ParseCertificate(der)
			if err != nil {
				t.Fatalf("%s: %v", whose, err)
			}
			key, isECDSA := certificate.PublicKey.(*ecdsa.PublicKey)
			if !isECDSA || key.Curve != elliptic.P256() {
				t.Errorf("%s: the key is %T", whose, certificate.PublicKey)
			}
			if seen[string(der)] {
				t.Errorf("%s: the certificate is that of the last start", whose)
			}
			seen[string(der)] = true
			if err := certificate.VerifyHostname("localhost"); err != nil || !certificate.IsCA {
				t.Errorf("%s: CA %v, %v", whose, certificate.IsCA, err)
			}
		}
	}
}

// No host takes over the process of another: its plugins end with it, and mutual
// TLS is never go-plugin's own.
func TestHazardNoReattach(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		if found := regexp.MustCompile(`(?m)^[^/\n]*\b(AutoMTLS|Reattach\w*|SecureConfig)\b`).FindString(read(t, file)); found != "" {
			t.Errorf("%s: %s", file, strings.TrimSpace(found))
		}
	}
}

var grpcVersion = regexp.MustCompile(`google\.golang\.org/grpc v1\.(\d+)\.`)

// go-plugin would be content with a grpc of years ago.
func TestHazardGRPCIsCurrent(t *testing.T) {
	t.Parallel()
	const oldest = 75
	if !atLeast(t, grpc.Version, `^1\.(\d+)\.`, oldest) {
		t.Errorf("grpc is %s", grpc.Version)
	}
	for _, module := range []string{"sdk", "host", "plugins/process"} {
		if content := read(t, filepath.Join("../../..", module, "go.mod")); !atLeast(t, content, grpcVersion.String(), oldest) {
			t.Errorf("%s requires %s", module, grpcVersion.FindString(content))
		}
	}
}

// A binary with its symbols starts late.
func TestHazardBinariesAreStripped(t *testing.T) {
	t.Parallel()
	makefile := read(t, "../../../Makefile")
	for _, want := range []string{
		`(?m)^BUILD_FLAGS := .*-trimpath`, `(?m)^LDFLAGS +:= -s -w`, `-ldflags '\$\(LDFLAGS\)' -o bin/plugins/apm-plugin-process`,
	} {
		if !regexp.MustCompile(want).MatchString(makefile) {
			t.Errorf("the Makefile does not match %s", want)
		}
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// atLeast says whether the number that the pattern finds is no less.
func atLeast(t *testing.T, text, pattern string, least int) bool {
	t.Helper()
	found := regexp.MustCompile(pattern).FindStringSubmatch(text)
	if found == nil {
		t.Fatalf("no match of %s", pattern)
	}
	number, err := strconv.Atoi(found[1])
	if err != nil {
		t.Fatal(err)
	}
	return number >= least
}
