package access_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/apm-deploy/apm/host/internal/access"
	"github.com/apm-deploy/apm/host/internal/deployment"
	"github.com/apm-deploy/apm/host/internal/seal"
	"github.com/apm-deploy/apm/host/internal/store/sqlite"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	noon  = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	actor = deployment.Actor{Kind: deployment.ActorHost, Name: "host-a"}
)

// open returns a real store.
func open(t *testing.T) *sqlite.Store {
	t.Helper()
	directory := t.TempDir()
	sealer, err := seal.Open(directory, false)
	ok(t, err)
	store, err := sqlite.Open(t.Context(), sqlite.Config{Path: filepath.Join(directory, "apm.db"), Sealer: sealer, HostID: "host-a"})
	ok(t, err)
	t.Cleanup(func() { ok(t, store.Close()) })
	return store
}

// ok ends the test on an error.
func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestAuthenticate(t *testing.T) {
	t.Parallel()
	store := open(t)
	now := noon
	a := access.New(store, access.Config{Now: func() time.Time { return now }})
	_, good, err := a.Create(t.Context(), "ci", deployment.RoleDeployer, 0, actor)
	ok(t, err)
	_, expired, err := a.Create(t.Context(), "short", deployment.RoleViewer, time.Hour, actor)
	ok(t, err)
	gone, revoked, err := a.Create(t.Context(), "old", deployment.RoleAdmin, 0, actor)
	ok(t, err)
	_, err = a.Revoke(t.Context(), gone.ID, "left", actor)
	ok(t, err)
	now = noon.Add(time.Hour)

	got, err := a.Authenticate(t.Context(), "Bearer "+good, false)
	ok(t, err)
	if want := (deployment.Actor{Kind: deployment.ActorToken, Name: "ci", Role: deployment.RoleDeployer}); got != want {
		t.Errorf("actor %+v, want %+v", got, want)
	}
	if _, err := a.Authenticate(t.Context(), "bearer  "+good, false); err != nil {
		t.Errorf("scheme in lower case: %v", err)
	}
	id, _, _ := strings.Cut(good, ".")
	_, secret, _ := strings.Cut(revoked, ".")
	tests := map[string]struct{ header, says string }{
		"nothing":          {"", "no token"},
		"no scheme":        {good, "Bearer TOKEN"},
		"basic":            {"Basic " + good, "Bearer TOKEN"},
		"no dot":           {"Bearer " + id, "of the form"},
		"no prefix":        {"Bearer " + strings.TrimPrefix(good, "apm_"), "of the form"},
		"long":             {"Bearer " + id + "." + strings.Repeat("x", 10_000), "of the form"},
		"unknown id":       {"Bearer apm_000000000000." + secret, "not known"},
		"unknown, no hash": {"Bearer apm_000000000000.", "of the form"},
		"another's secret": {"Bearer " + id + "." + secret, "not known"},
		"one letter off":   {"Bearer " + good + "x", "not known"},
		"expired":          {"Bearer " + expired, "expired at 2026-03-01 13:00 UTC"},
		"revoked":          {"Bearer " + revoked, "was revoked"},
	}
	for name, test := range tests {
		_, err := a.Authenticate(t.Context(), test.header, true)
		var e *deployment.Error
		if !errors.As(err, &e) || e.Code != deployment.Unauthorized || !strings.Contains(e.Message, test.says) || e.Remedy == "" {
			t.Errorf("%s: %v, want %q", name, err, test.says)
		}
	}
}

// TestLastUseIsTold: at once, and after a restart; what was refused is no use.
func TestLastUseIsTold(t *testing.T) {
	t.Parallel()
	store := &unwritable{Store: open(t)}
	now := noon
	config := access.Config{Now: func() time.Time { return now }}
	a := access.New(store, config)
	token, secret, err := a.Create(t.Context(), "ci", deployment.RoleViewer, 2*time.Hour, actor)
	ok(t, err)
	last := func(a *access.Access) time.Time {
		t.Helper()
		tokens, err := a.Tokens(t.Context())
		ok(t, err)
		return tokens[0].LastUsed
	}
	ok(t, a.RecordUse(t.Context()))
	if got := last(a); !got.IsZero() {
		t.Errorf("never used, and told to be at %s", got)
	}
	_, err = a.Authenticate(t.Context(), "Bearer "+secret, false)
	ok(t, err)
	now = noon.Add(time.Hour)
	if _, err := a.Authenticate(t.Context(), "Bearer "+secret+"x", false); err == nil {
		t.Error("a wrong secret is taken")
	}
	if got := last(a); !got.Equal(noon) {
		t.Errorf("used last at %s, want %s", got, noon)
	}
	store.broken = true
	if err := a.RecordUse(t.Context()); err == nil {
		t.Error("nothing was written, and nobody is told")
	}
	if _, err := a.Authenticate(t.Context(), "Bearer "+secret, false); err != nil {
		t.Errorf("a reader is refused because nothing can be written: %v", err)
	}
	store.broken = false
	ok(t, a.RecordUse(t.Context()))
	if got := last(access.New(store, config)); !got.Equal(now) {
		t.Errorf("after a restart: used last at %s, want %s", got, now)
	}
	revoked, err := a.Revoke(t.Context(), token.ID, "", actor)
	if err != nil || !revoked.LastUsed.Equal(now) {
		t.Errorf("revoked: %+v, %v", revoked, err)
	}
}

// unwritable is a store in which the use of tokens cannot be written.
type unwritable struct {
	*sqlite.Store
	broken bool
}

func (s *unwritable) UseTokens(ctx context.Context, used map[string]time.Time) error {
	if s.broken {
		return deployment.ErrUnavailable
	}
	return s.Store.UseTokens(ctx, used)
}

func TestAnonymousOnLoopbackOnly(t *testing.T) {
	t.Parallel()
	store := open(t)
	on := access.New(store, access.Config{Anonymous: true})
	got, err := on.Authenticate(t.Context(), "", true)
	if err != nil || got.Kind != deployment.ActorAnonymous || got.Role != deployment.RoleViewer {
		t.Errorf("on loopback: %+v, %v", got, err)
	}
	if _, err := on.Authenticate(t.Context(), "", false); deployment.CodeOf(err) != deployment.Unauthorized {
		t.Errorf("from elsewhere: %v", err)
	}
	if _, err := on.Authenticate(t.Context(), "Bearer nonsense", true); deployment.CodeOf(err) != deployment.Unauthorized {
		t.Errorf("a wrong token is taken for none: %v", err)
	}
	if _, err := access.New(store, access.Config{}).Authenticate(t.Context(), "", true); deployment.CodeOf(err) != deployment.Unauthorized {
		t.Errorf("off: %v", err)
	}
}

func TestCreateRefusesABadWish(t *testing.T) {
	t.Parallel()
	a := access.New(open(t), access.Config{})
	for name, test := range map[string]struct {
		name  string
		role  deployment.Role
		field string
	}{
		"no name":    {" ", deployment.RoleViewer, "name"},
		"long name":  {strings.Repeat("x", 101), deployment.RoleViewer, "name"},
		"control":    {"a\nb", deployment.RoleViewer, "name"},
		"no role":    {"a", "", "role"},
		"other role": {"a", "root", "role"},
	} {
		_, _, err := a.Create(t.Context(), test.name, test.role, 0, actor)
		var e *deployment.Error
		if !errors.As(err, &e) || e.Code != deployment.Invalid || e.Problems[0].Field != test.field {
			t.Errorf("%s: %v", name, err)
		}
	}
	if tokens, err := a.Tokens(t.Context()); err != nil || len(tokens) != 0 {
		t.Errorf("tokens %+v, %v", tokens, err)
	}
}

func TestSecretsAreNowhere(t *testing.T) {
	t.Parallel()
	store := open(t)
	a := access.New(store, access.Config{})
	token, text, err := a.Create(t.Context(), "ci", deployment.RoleDeployer, 0, actor)
	ok(t, err)
	_, secret, _ := strings.Cut(text, ".")
	if len(secret) != 43 { // 32 bytes
		t.Errorf("secret of %d characters", len(secret))
	}
	_, hash, err := store.Token(t.Context(), token.ID)
	ok(t, err)
	records, _, err := store.Audit(t.Context(), "", 10)
	ok(t, err)
	if len(hash) != 32 || strings.Contains(string(hash), secret) || len(records) != 1 || strings.Contains(records[0].Detail, secret) {
		t.Errorf("hash %x, audit %+v", hash, records)
	}
	if _, err := a.Revoke(t.Context(), "none", "", actor); deployment.CodeOf(err) != deployment.NotFound {
		t.Errorf("revoke of an unknown one: %v", err)
	}
}

func TestLocalToken(t *testing.T) {
	t.Parallel()
	store := open(t)
	a := access.New(store, access.Config{})
	directory := t.TempDir()
	path := filepath.Join(directory, access.File)
	if _, err := access.ReadFile(directory); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without a file: %v", err)
	}
	ok(t, a.EnsureLocal(t.Context(), directory, actor))
	info, err := os.Stat(path)
	ok(t, err)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode %04o", info.Mode().Perm())
	}
	first, err := access.ReadFile(directory)
	ok(t, err)
	got, err := a.Authenticate(t.Context(), "Bearer "+first, false)
	if err != nil || got.Role != deployment.RoleAdmin {
		t.Fatalf("first token: %+v, %v", got, err)
	}

	ok(t, a.EnsureLocal(t.Context(), directory, actor))
	if again, err := access.ReadFile(directory); err != nil || again != first {
		t.Errorf("a second start changed the token: %v", err)
	}

	ok(t, os.Chmod(path, 0o644))
	for _, err := range []error{a.EnsureLocal(t.Context(), directory, actor), second(access.ReadFile(directory))} {
		var e *deployment.Error
		if !errors.As(err, &e) || e.Remedy != "chmod 600 "+path {
			t.Errorf("readable by others: %v", err)
		}
	}
	ok(t, os.Remove(path))
	ok(t, a.EnsureLocal(t.Context(), directory, actor))
	if renewed, err := access.ReadFile(directory); err != nil || renewed == first {
		t.Errorf("lost and made again: %v", err)
	}

	// Taken away on purpose: another admin is there.
	_, _, err = a.Create(t.Context(), "boss", deployment.RoleAdmin, 0, actor)
	ok(t, err)
	ok(t, os.Remove(path))
	ok(t, a.EnsureLocal(t.Context(), directory, actor))
	if _, err := access.ReadFile(directory); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("made again though there is another admin: %v", err)
	}
}

// TestForeignTokenFileIsReplaced: the database is a new one.
func TestForeignTokenFileIsReplaced(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	ok(t, access.New(open(t), access.Config{}).EnsureLocal(t.Context(), directory, actor))
	before, err := access.ReadFile(directory)
	ok(t, err)
	a := access.New(open(t), access.Config{})
	ok(t, a.EnsureLocal(t.Context(), directory, actor))
	after, err := access.ReadFile(directory)
	ok(t, err)
	if _, err := a.Authenticate(t.Context(), "Bearer "+after, false); err != nil || before == after {
		t.Errorf("token of the other database: %v", err)
	}
}

// second is the error of a pair.
func second(_ string, err error) error { return err }
