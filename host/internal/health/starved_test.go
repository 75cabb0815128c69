package health_test

import (
	"context"
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/apm-deploy/apm/host/internal/deployment"
	"github.com/apm-deploy/apm/host/internal/health"
)

// envStarved makes the test binary a process without a free descriptor.
const envStarved = "APM_TEST_STARVED"

// lookWithoutDescriptors looks once where no descriptor is left, and prints the
// observations. Its exit code is that of a process.
func lookWithoutDescriptors() int {
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return 10
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: 32, Max: 32}); err != nil {
		return 11
	}
	var held []*os.File
	for {
		file, err := os.Open(os.DevNull)
		if err != nil {
			break
		}
		held = append(held, file)
	}
	address := listener.Addr().String()
	checker := health.New(health.Config{})
	var observations []deployment.Observation
	for _, check := range []deployment.CheckDefinition{
		{Type: "tcp", TCP: &deployment.TCPCheck{Address: address}},
		{Type: "http", HTTP: &deployment.HTTPCheck{URL: "http://" + address}},
		{Type: "grpc", GRPC: &deployment.GRPCCheck{Address: address}},
		{Type: "tcp", TCP: &deployment.TCPCheck{Address: "shop.invalid:80"}},
	} {
		check.Timeout = 10 * time.Second
		observations = append(observations, checker.Look(context.Background(), check, nil))
	}
	for _, file := range held {
		_ = file.Close()
	}
	if err := json.NewEncoder(os.Stdout).Encode(observations); err != nil {
		return 12
	}
	return 0
}

func TestWithoutDescriptorsIsUnknown(t *testing.T) {
	t.Parallel()
	child := exec.CommandContext(t.Context(), os.Args[0])
	child.Env = append(os.Environ(), envStarved+"=1")
	child.Stderr = os.Stderr
	printed, err := child.Output()
	if err != nil {
		t.Fatal(err)
	}
	var observations []deployment.Observation
	if err := json.Unmarshal(printed, &observations); err != nil {
		t.Fatalf("read %q: %v", printed, err)
	}
	if len(observations) != 4 {
		t.Fatalf("got %d observations: %s", len(observations), printed)
	}
	for _, observation := range observations {
		want{status: deployment.Unknown, says: []string{"could not look"}}.check(t, observation)
	}
}
