package registry_test

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/apm-deploy/apm/test/testbed/internal/image"
	"github.com/apm-deploy/apm/test/testbed/internal/registry"
)

// push makes an image with one variable and pushes it.
func push(t *testing.T, r *registry.Registry, reference, variable string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, image.Program), []byte("a program"), 0o755); err != nil {
		t.Fatal(err)
	}
	layer, err := image.Layer(dir)
	if err != nil {
		t.Fatal(err)
	}
	made, err := image.New(layer, nil, []string{variable})
	if err != nil {
		t.Fatal(err)
	}
	digest, err := r.Push(made, reference)
	if err != nil {
		t.Fatal(err)
	}
	return digest
}

// head asks for the digest of REPOSITORY:TAG.
func head(r *registry.Registry, reference string) (string, error) {
	tag, err := name.NewTag(r.Address()+"/"+reference, name.Insecure)
	if err != nil {
		return "", err
	}
	descriptor, err := remote.Get(tag)
	if err != nil {
		return "", err
	}
	return descriptor.Digest.String(), nil
}

// TestRegistry fails in each way that a test may ask for, and comes back.
func TestRegistry(t *testing.T) {
	t.Parallel()
	r, err := registry.Start("127.0.0.1", "127.0.0.2")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Stop)
	first := push(t, r, "app:stable", "V=1")
	if same := push(t, r, "app:same", "V=1"); same != first {
		t.Errorf("the same image has the digests %s and %s", first, same)
	}
	second := push(t, r, "app:stable", "V=2")
	if got, err := head(r, "app:stable"); err != nil || got != second || got == first {
		t.Errorf("a moved tag has %s, %v, want %s", got, err, second)
	}
	if r.Pulls() == 0 {
		t.Error("no pull was counted")
	}
	response, err := http.Get("http://127.0.0.2:" + r.Port() + "/v2/")
	if err != nil || response.StatusCode != http.StatusOK {
		t.Errorf("the second address: %v", err)
	} else {
		_ = response.Body.Close()
	}

	address := r.Address()
	r.Stop()
	r.Stop()
	if _, err := head(r, "app:stable"); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("a stopped registry: %v", err)
	}
	if err := errors.Join(r.Resume(), r.Resume()); err != nil || r.Address() != address {
		t.Fatalf("it comes back at %s, %v, want %s", r.Address(), err, address)
	}

	push(t, r, "other:v1", "V=1")
	for _, status := range []int{http.StatusUnauthorized, http.StatusForbidden} {
		r.Refuse("app", status)
		if _, err := head(r, "app:stable"); err == nil || !strings.Contains(err.Error(), "refused by the testbed") {
			t.Errorf("a registry that answers %d: %v", status, err)
		}
		if _, err := head(r, "other:v1"); err != nil {
			t.Errorf("a repository that is not refused: %v", err)
		}
	}
	r.Refuse("app", 0)
	if got, err := head(r, "app:stable"); err != nil || got != second {
		t.Errorf("a registry that refuses no more: %s, %v", got, err)
	}
	if err := r.Remove("app:stable"); err != nil {
		t.Error(err)
	}
	if _, err := head(r, "app:stable"); err == nil {
		t.Error("a removed tag is still there")
	}
	if err := r.Remove("app:never"); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("a tag that is not there: %v", err)
	}
}
