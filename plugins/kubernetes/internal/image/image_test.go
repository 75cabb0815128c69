package image_test

import (
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/apm-deploy/apm/plugins/kubernetes/internal/image"
)

// serve is a registry with one image, app:v1; closed is asked first.
func serve(t *testing.T, closed func(http.ResponseWriter, *http.Request) bool) (address, digest string) {
	t.Helper()
	inner := registry.New(registry.Logger(slog.NewLogLogger(slog.DiscardHandler, 0)))
	open := true
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if open || closed == nil || !closed(w, r) {
			inner.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(server.Close)
	address = strings.TrimPrefix(server.URL, "http://")
	made, err := random.Image(64, 1)
	if err != nil {
		t.Fatal(err)
	}
	ref, err := name.ParseReference(address + "/app:v1")
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(ref, made); err != nil {
		t.Fatal(err)
	}
	hash, err := made.Digest()
	if err != nil {
		t.Fatal(err)
	}
	open = false
	return address, hash.String()
}

func TestPin(t *testing.T) {
	t.Parallel()
	address, digest := serve(t, nil)
	v1, gone, pinned := address+"/app:v1", address+"/app:v2", address+"/app@"+digest
	answers := image.Registries{}.Pin(t.Context(), []string{v1, v1, gone, pinned, "Not An Image"})
	if got := answers[v1]; got.Err != nil || got.Pinned != v1+"@"+digest {
		t.Errorf("v1: %+v", got)
	}
	if got := answers[pinned]; got.Err != nil || got.Pinned != pinned {
		t.Errorf("pinned: %+v", got)
	}
	if got := answers[gone]; !errors.Is(got.Err, image.ErrNotFound) || got.Pinned != gone {
		t.Errorf("gone: %+v", got)
	}
	if got := answers["Not An Image"]; !errors.Is(got.Err, image.ErrName) {
		t.Errorf("no name: %+v", got)
	}
}

// A registry may not answer HEAD, which GET makes up for.
func TestWithoutHead(t *testing.T) {
	t.Parallel()
	address, digest := serve(t, func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodHead {
			w.WriteHeader(http.StatusMethodNotAllowed)
		}
		return r.Method == http.MethodHead
	})
	v1 := address + "/app:v1"
	if got := (image.Registries{}).Pin(t.Context(), []string{v1})[v1]; got.Pinned != v1+"@"+digest {
		t.Errorf("%+v", got)
	}
}

func TestUnreachable(t *testing.T) {
	t.Parallel()
	down := httptest.NewServer(nil)
	address := strings.TrimPrefix(down.URL, "http://")
	down.Close()
	hanging, _ := serve(t, func(_ http.ResponseWriter, r *http.Request) bool { <-r.Context().Done(); return true })
	denying, _ := serve(t, func(w http.ResponseWriter, _ *http.Request) bool { w.WriteHeader(http.StatusForbidden); return true })
	for _, tc := range []struct {
		image string
		want  error
	}{
		{address + "/app:v1", image.ErrUnreachable},
		{hanging + "/app:v1", image.ErrUnreachable},
		{denying + "/app:v1", image.ErrDenied},
	} {
		begun := time.Now()
		got := image.Registries{Timeout: 300 * time.Millisecond}.Pin(t.Context(), []string{tc.image})[tc.image]
		if !errors.Is(got.Err, tc.want) || got.Pinned != tc.image {
			t.Errorf("%+v, want %v", got, tc.want)
		}
		if took := time.Since(begun); took > 10*time.Second {
			t.Errorf("it took %v", took)
		}
	}
}

// The credentials of a pull secret are used, the most exact first.
func TestSecrets(t *testing.T) {
	t.Parallel()
	var user, password string
	address, digest := serve(t, func(w http.ResponseWriter, r *http.Request) bool {
		var given bool
		user, password, given = r.BasicAuth()
		if !given {
			w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
			w.WriteHeader(http.StatusUnauthorized)
		}
		return !given
	})
	v1 := address + "/app:v1"
	if got := (image.Registries{}).Pin(t.Context(), []string{v1})[v1]; !errors.Is(got.Err, image.ErrDenied) {
		t.Errorf("without credentials: %+v", got)
	}
	for text, want := range map[string]string{
		`{"auths": {"` + address + `": {"username": "a", "password": "b"}}}`:                                   "a b",
		`{"auths": {"https://` + address + `/v2/": {"auth": "YzpkOmU="}}}`:                                     "c d:e",
		`{"auths": {"` + address + `": {"auth": "YTpi"}, "` + address + `/app": {"auth": "ZTpm"}, "x": {}}}`:   "e f",
		`{"auths": {"` + address + `": {"auth": "YTpi"}, "` + address + `/apple": {"auth": "ZTpm"}, "x": {}}}`: "a b",
	} {
		secrets, err := image.ReadSecret(map[string][]byte{".dockerconfigjson": []byte(text)})
		if err != nil {
			t.Fatal(err)
		}
		got := image.Registries{Keychain: secrets}.Pin(t.Context(), []string{v1})[v1]
		if got.Pinned != v1+"@"+digest || user+" "+password != want {
			t.Errorf("%s: %+v with %s %s", text, got, user, password)
		}
	}
	old, err := image.ReadSecret(map[string][]byte{".dockercfg": []byte(`{"https://index.docker.io/v1/": {"username": "a", "password": "b"}}`)})
	if err != nil {
		t.Fatal(err)
	}
	hub, err := name.ParseReference("app:v1")
	if err != nil {
		t.Fatal(err)
	}
	if a, err := old.Resolve(hub.Context()); err != nil || a == authn.Anonymous {
		t.Errorf("old kind: %v %v", a, err)
	}
	if _, err := image.ReadSecret(map[string][]byte{".dockerconfigjson": []byte("{")}); err == nil {
		t.Error("no JSON was read")
	}
}
