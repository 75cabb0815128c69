package conform

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// specNames are the specs that there may be.
var specNames = []string{"v1", "v2", "bad", "slow", "chatty", "failing"}

const (
	formTexts   = `write a list of texts, as in ["a", "b"]`
	formText    = "write a text in quotes"
	formTimeout = `write a duration, as in "60s"`
)

// names of the file itself.
var (
	topAttributes = []string{"secrets", "timeout", "environment"}
	topBlocks     = []string{"config", "spec", "prepare", "change_files", "change_live", "prune", "serves"}
)

// top reads what the file itself says.
func (f *File) top(body *hclsyntax.Body) {
	f.onlyAttributes("the file", body, topAttributes, topBlocks)
	for name, a := range body.Attributes {
		switch name {
		case "secrets":
			f.secrets = a.Expr.Range().Start
			f.Secrets = f.list(a)
			if slices.Contains(f.Secrets, "") {
				f.scope.ps.add(f.secrets, "leave it out", "an empty text is no secret")
			}
		case "timeout":
			f.Timeout = f.duration(a)
		case "environment":
			f.environment(a)
		}
	}
	seen := map[string]bool{}
	for _, b := range body.Blocks {
		if !slices.Contains(topBlocks, b.Type) || !f.labelled(b) {
			continue
		}
		if seen[blockName(b)] {
			f.scope.ps.add(b.TypeRange.Start, "keep one of them", "%s stands twice", blockName(b))
			continue
		}
		seen[blockName(b)] = true
		switch b.Type {
		case "config":
			f.config = b
		case "spec":
			f.specs[b.Labels[0]] = b
		case "prepare":
			f.prepare = f.hook(b, "command", "undo")
		case "change_files":
			f.changeFiles = f.hook(b, "command", "undo")
		case "change_live":
			f.changeLive = f.hook(b, "command")
		case "prune":
			f.prune = f.hook(b, "command")
		case "serves":
			f.serves = f.readServes(b)
		}
	}
	f.together()
}

// labelled checks the labels of a block of the file.
func (f *File) labelled(b *hclsyntax.Block) bool {
	ps := f.scope.ps
	switch {
	case b.Type != "spec" && len(b.Labels) > 0:
		ps.add(b.LabelRanges[0].Start, "write "+b.Type+" { … }", "block %q has no name", b.Type)
	case b.Type != "spec":
		return true
	case len(b.Labels) != 1:
		ps.add(b.TypeRange.Start, `write spec "v1" { … }`, `block "spec" needs one name`)
	case !slices.Contains(specNames, b.Labels[0]):
		ps.add(b.LabelRanges[0].Start, suggest(b.Labels[0], specNames), "unknown spec %q", b.Labels[0])
	default:
		return true
	}
	return false
}

// together checks which specs there are: v1 and v2 go together, and what deploys
// something else needs them too.
func (f *File) together() {
	for name, b := range f.specs {
		for _, other := range []string{"v1", "v2"} {
			if name != "bad" && f.specs[other] == nil {
				f.scope.ps.add(b.TypeRange.Start, fmt.Sprintf("add spec %q { … }", other), "spec %q stands here without spec %q", name, other)
			}
		}
	}
	if len(f.Secrets) > 0 && f.specs["v1"] == nil {
		f.scope.ps.add(f.secrets, `add spec "v1" and spec "v2", or leave secrets out`, "secrets without something to deploy")
	}
}

// onlyAttributes refuses what a body of the file's own cannot hold.
func (f *File) onlyAttributes(what string, body *hclsyntax.Body, attributes, blocks []string) {
	known := slices.Concat(attributes, blocks)
	for name, a := range body.Attributes {
		switch {
		case slices.Contains(attributes, name):
		case slices.Contains(blocks, name):
			f.scope.ps.add(a.NameRange.Start, "write "+name+" { … }", "%q is a block, it has no =", name)
		default:
			f.scope.ps.add(a.NameRange.Start, suggest(name, known), "unknown attribute %q in %s", name, what)
		}
	}
	for _, b := range body.Blocks {
		switch {
		case slices.Contains(blocks, b.Type):
		case slices.Contains(attributes, b.Type):
			f.scope.ps.add(b.TypeRange.Start, "write "+b.Type+" = …", "%q is an attribute, not a block", b.Type)
		default:
			f.scope.ps.add(b.TypeRange.Start, suggest(b.Type, known), "unknown block %q in %s", b.Type, what)
		}
	}
}

func (f *File) text(a *hclsyntax.Attribute) string {
	value, ok := f.scope.as(a.Name, a.Expr, cty.String, formText)
	if !ok {
		return ""
	}
	return value.AsString()
}

func (f *File) list(a *hclsyntax.Attribute) []string {
	value, ok := f.scope.as(a.Name, a.Expr, cty.List(cty.String), formTexts)
	if !ok {
		return nil
	}
	return texts(value)
}

func (f *File) duration(a *hclsyntax.Attribute) time.Duration {
	before := len(f.scope.ps.list)
	text := f.text(a)
	if len(f.scope.ps.list) > before {
		return 0
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		f.scope.ps.add(a.Expr.Range().Start, formTimeout, "%q is no duration above zero", text)
	}
	return d
}

// environment reads ["NAME=value"] or { NAME = "value" }.
func (f *File) environment(a *hclsyntax.Attribute) {
	at := a.Expr.Range().Start
	value, ok := f.scope.eval(a.Expr)
	if !ok {
		return
	}
	const form = `write { NAME = "value" } or ["NAME=value"]`
	switch kind := value.Type(); {
	case value.IsNull():
		f.scope.ps.add(at, form, `"environment" is null`)
		return
	case kind.IsObjectType() || kind.IsMapType():
		if value, ok = f.scope.as(a.Name, a.Expr, cty.Map(cty.String), form); !ok {
			return
		}
		for it := value.ElementIterator(); it.Next(); {
			name, text := it.Element()
			f.Environment = append(f.Environment, name.AsString()+"="+text.AsString())
		}
	default:
		if value, ok = f.scope.as(a.Name, a.Expr, cty.List(cty.String), form); !ok {
			return
		}
		f.Environment = texts(value)
	}
	for i, one := range f.Environment {
		name, _, given := strings.Cut(one, "=")
		if !given || name == "" || strings.ContainsRune(one, 0) {
			f.scope.ps.add(at, form, "item %d of environment is no variable", i+1)
		}
		if strings.HasPrefix(name, "PLUGIN_") || name == "APM_PLUGIN" || name == "APM_PLUGIN_LIFELINE_FD" {
			f.scope.ps.add(at, "leave it out", "%s is a variable of the contract, which the suite sets", name)
		}
	}
}
