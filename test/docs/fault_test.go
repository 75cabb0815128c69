package docs_test

import (
	"testing"

	"github.com/apm-deploy/apm/sdk/plugintest/fake"
)

// TestToldOfFaults: whatever the fake platform can be told to do is on its page.
func TestToldOfFaults(t *testing.T) {
	t.Parallel()
	const name = "docs/fault-injection.md"
	for kind, what := range fake.Kinds() {
		tells(t, name, "| `"+kind+"` |")
		for _, word := range what {
			tells(t, name, "\""+word+"\"`")
		}
	}
	for _, call := range fake.Calls() {
		tells(t, name, "`"+call+"`")
	}
	for _, rule := range fake.Rules() {
		tells(t, name, "| `"+rule+"` |")
	}
	plugin := fake.Plugin()
	for _, block := range plugin.Config.Block.Blocks {
		for _, attribute := range block.Block.Attributes {
			tells(t, name, "`"+attribute.Name) // and what it is given, maybe
		}
	}
	for _, attribute := range plugin.Spec.Block.Attributes {
		tells(t, name, "| `"+attribute.Name+"` |")
	}
}
