package seal_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/apm-deploy/apm/host/internal/seal"
)

func TestSecretShowsItselfToNobody(t *testing.T) {
	t.Parallel()
	const canary = "canary-4711"
	secret := seal.NewSecret(canary)
	type holder struct {
		Exported   seal.Secret
		unexported seal.Secret
		Pointer    *seal.Secret
		Map        map[string]seal.Secret
	}
	h := holder{secret, secret, &secret, map[string]seal.Secret{"key": secret}}
	_ = h.unexported

	printed := map[string]string{}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%20s"} {
		printed[verb] = fmt.Sprintf(verb, secret)
		printed[verb+" of a pointer"] = fmt.Sprintf(verb, &secret)
		printed[verb+" within"] = fmt.Sprintf(verb, h) + fmt.Sprintf(verb, &h) + fmt.Sprintf(verb, []any{h})
	}
	text, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	printed["json"] = string(text)
	for name, handler := range map[string]func(*bytes.Buffer) slog.Handler{
		"slog text": func(b *bytes.Buffer) slog.Handler { return slog.NewTextHandler(b, nil) },
		"slog json": func(b *bytes.Buffer) slog.Handler { return slog.NewJSONHandler(b, nil) },
	} {
		var log bytes.Buffer
		slog.New(handler(&log)).Info("started", "secret", secret, "holder", h)
		printed[name] = log.String()
	}
	for how, got := range printed {
		if strings.Contains(got, canary) || strings.Contains(got, fmt.Sprintf("%x", canary)) || strings.Contains(got, fmt.Sprintf("%X", canary)) {
			t.Errorf("%s shows the secret: %s", how, got)
		}
		if !strings.Contains(how, "within") && !strings.Contains(got, "[redacted]") {
			t.Errorf("%s does not say that something is hidden: %s", how, got)
		}
	}
	if got := secret.Reveal(); got != canary {
		t.Errorf("Reveal() = %q", got)
	}
	if secret.Empty() || !(seal.Secret{}).Empty() {
		t.Error("Empty is wrong")
	}
}
