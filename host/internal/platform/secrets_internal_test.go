package platform

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

// What a plugin was told in confidence is in none of its lines in the host's log,
// nor in the last ones that are kept, however it writes them.
func TestLinesWithoutSecrets(t *testing.T) {
	t.Parallel()
	const secret = "canary \"7193\""
	hidden := &secrets{}
	var log bytes.Buffer
	kept := &tail{secrets: hidden}
	r := newRelay(slog.New(slog.NewJSONHandler(&log, nil)), kept)
	hidden.add("another secret")
	hidden.add(secret)
	r.run(strings.NewReader(strings.Join([]string{
		`a bare line with ` + secret,
		`{"@level":"info","@message":"told canary \"7193\"","url":"http://x/canary%20%227193%22","nested":{"a":"canary \"7193\""}}`,
		`panic: ` + secret,
	}, "\n") + "\n"))
	for where, text := range map[string]string{
		"the log": log.String(), "the last lines": strings.Join(kept.last(), "\n"), "the summary": kept.summary(),
	} {
		if strings.Contains(text, "7193") || !strings.Contains(text, "[sensitive]") {
			t.Errorf("%s: %s", where, text)
		}
	}
	var none *secrets
	if got := none.text(secret); got != secret {
		t.Errorf("without secrets: %q", got)
	}
}

// However many secrets there were, those that were told last are known.
func TestSecretsToldLast(t *testing.T) {
	t.Parallel()
	hidden := &secrets{}
	many := make([]string, maxSecrets+100)
	for i := range many {
		many[i] = fmt.Sprintf("secret-%04d-", i)
	}
	first, last := many[0], many[len(many)-1]
	hidden.add(many...)
	if got := hidden.text(first + last); strings.Contains(got, "secret") {
		t.Errorf("told at once: %q", got)
	}
	for i := range 10 {
		hidden.add(first) // as with every version, which has others of its own
		for n := range many {
			many[n] = fmt.Sprintf("secret-of-version-%d-%04d-", i, n)
		}
		hidden.add(many[:maxSecrets/2]...)
	}
	if got := hidden.text(first); got == first {
		t.Errorf("told again and again: %q", got)
	}
	if got := len(hidden.values); got > maxSecrets+len(many) {
		t.Errorf("%d are remembered", got)
	}
}
