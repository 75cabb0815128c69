package config

import (
	"os"
	"regexp"
	"testing"

	"github.com/apm-deploy/apm/sdk/schema"
)

// TestReferenceHasEveryKey holds docs/configuration.md against the grammar: each
// key and block has a row of its own.
func TestReferenceHasEveryKey(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile("../../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z_0-9]+)`").FindAllStringSubmatch(string(content), -1) {
		rows[m[1]] = true
	}
	count := 0
	var walk func(where string, b schema.Block)
	walk = func(where string, b schema.Block) {
		for _, a := range b.Attributes {
			if count++; !rows[a.Name] {
				t.Errorf("docs/configuration.md has no row for %s%s", where, a.Name)
			}
		}
		for _, nested := range b.Blocks {
			if !regexp.MustCompile("`[^`]*\\b" + nested.Name + "\\b[^`]*`").Match(content) {
				t.Errorf("docs/configuration.md does not name the block %s%s", where, nested.Name)
			}
			walk(where+nested.Name+".", nested.Block)
		}
	}
	walk("", configGrammar)
	walk("platform.", platformGrammar)
	walk("application.", applicationGrammar)
	walk("component.", componentGrammar)
	for kind, g := range checkGrammars {
		walk(kind+" check: ", g)
	}
	if count < 40 {
		t.Errorf("only %d keys were looked for", count)
	}
}
