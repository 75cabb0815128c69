package reference_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2/hclparse"

	apiv1 "github.com/apm-deploy/apm/api/v1"
	"github.com/apm-deploy/apm/host/internal/cli/reference"
)

var update = flag.Bool("update", false, "write the golden files")

// plugin has all that a schema can say.
var plugin = apiv1.Plugin{
	Plugin: "files", Version: "1.2.0", Capabilities: []string{"plan", "cancel"},
	Schema: &apiv1.PluginSchema{
		Config: apiv1.SchemaBlock{Description: "Where files go.", Attributes: []apiv1.SchemaKey{
			{Name: "root", Type: "string", Required: true, Path: true, Description: "Directory <root> | what is below it."},
			{Name: "token", Type: "string", Sensitive: true, Description: "Of the store."},
			{Name: "mirrors", Type: "list(string)"},
			{Name: "user", Type: "string", Deprecated: true, Description: "Use owner."},
		}},
		Spec: apiv1.SchemaBlock{
			Attributes: []apiv1.SchemaKey{
				{Name: "owner", Type: "string"},
				{Name: "count", Type: "number", Default: "3"},
				{Name: "fast", Type: "bool", Default: "true"},
				{Name: "labels", Type: "map(string)"},
				{Name: "limits", Type: "object({ cpu = number })"},
				{Name: "name", Type: "string", Required: true},
			},
			Blocks: []apiv1.SchemaNested{
				{Name: "mount", Nesting: "list", MinItems: 1, MaxItems: 4, Block: apiv1.SchemaBlock{
					Description: "What is put there.",
					Attributes:  []apiv1.SchemaKey{{Name: "source", Type: "string", Required: true, Path: true}, {Name: "mode", Type: "number"}},
				}},
				{Name: "port", Nesting: "map", MaxItems: 2, Block: apiv1.SchemaBlock{
					Attributes: []apiv1.SchemaKey{{Name: "listen", Type: "string", Required: true}},
					Blocks: []apiv1.SchemaNested{{Name: "tls", Nesting: "single", Block: apiv1.SchemaBlock{
						Attributes: []apiv1.SchemaKey{{Name: "key", Type: "string", Required: true, Sensitive: true}},
					}}},
				}},
				{Name: "legacy", Nesting: "single", Block: apiv1.SchemaBlock{Deprecated: true}},
			},
		},
	},
}

func TestMarkdown(t *testing.T) {
	t.Parallel()
	got := reference.Markdown(plugin)
	golden := filepath.Join("testdata", "files.golden")
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Error(diff)
	}
}

// The examples are HCL, with the comment signs and without.
func TestExamplesAreHCL(t *testing.T) {
	t.Parallel()
	_, example, _ := strings.Cut(reference.Markdown(plugin), "## Example\n")
	_, example, found := strings.Cut(example, "\n\n    ")
	if !found {
		t.Fatal("there is none")
	}
	for name, text := range map[string]string{"required": example, "all": strings.ReplaceAll(example, "# ", "")} {
		if _, diags := hclparse.NewParser().ParseHCL([]byte(text), name); diags.HasErrors() {
			t.Errorf("%v\n%s", diags, text)
		}
	}
}
