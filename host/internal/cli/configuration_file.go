package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"

	apiv1 "github.com/apm-deploy/apm/api/v1"
	"github.com/apm-deploy/apm/host/internal/deployment"
)

// readConfiguration reads the file of --config: JSON when its name ends in
// .json or it begins with a brace, else HCL. In HCL ${version}, ${application}
// and ${environment} are what the flags say.
func readConfiguration(path string, request apiv1.StartRequest) (map[string]any, error) {
	source, err := readInput(path)
	if err != nil {
		return nil, usage(fmt.Errorf("--config %s cannot be read: %w", path, err))
	}
	if filepath.Ext(path) == ".json" || bytes.HasPrefix(bytes.TrimSpace(source), []byte("{")) {
		return readJSON(path, source)
	}
	file, diags := hclsyntax.ParseConfig(source, path, hcl.InitialPos)
	if diags.HasErrors() {
		return nil, hclError(path, source, diags)
	}
	variables := map[string]cty.Value{}
	for name, value := range map[string]string{"version": request.Version, "application": request.Name, "environment": request.Environment} {
		if value != "" {
			variables[name] = cty.StringVal(value)
		}
	}
	body, ok := file.Body.(*hclsyntax.Body)
	if !ok {
		return nil, fmt.Errorf("read %q: it is no HCL body", path)
	}
	values, diags := bodyValues(body, &hcl.EvalContext{Variables: variables})
	if diags.HasErrors() {
		return nil, hclError(path, source, diags)
	}
	return values, nil
}

func readJSON(path string, source []byte) (map[string]any, error) {
	values := map[string]any{}
	if err := json.Unmarshal(source, &values); err != nil {
		problem := deployment.Problem{File: path, Message: "it holds no JSON object", Remedy: `write one, as in {"replicas": 2}`}
		if syntax, ok := err.(*json.SyntaxError); ok { //nolint:errorlint // json returns it unwrapped
			before := source[:min(int(syntax.Offset), len(source))]
			problem.Line = bytes.Count(before, []byte("\n")) + 1
			problem.Column = len(before) - bytes.LastIndexByte(before, '\n') - 1
			problem.Snippet, problem.Message = lineOf(source, problem.Line), err.Error()
		}
		return nil, &deployment.Error{Code: deployment.Invalid, Message: path + " is not valid", Problems: []deployment.Problem{problem}}
	}
	return values, nil
}

// bodyValues turns a body into the JSON form of its blocks: attributes are
// members, a block is an object, a repeated one a list, a labelled one an
// object by label.
func bodyValues(body *hclsyntax.Body, context *hcl.EvalContext) (map[string]any, hcl.Diagnostics) {
	values := map[string]any{}
	var all hcl.Diagnostics
	for name, attribute := range body.Attributes {
		value, diags := attribute.Expr.Value(context)
		all = append(all, diags...)
		if diags.HasErrors() {
			continue
		}
		decoded, err := decodeValue(value)
		if err != nil {
			all = append(all, &hcl.Diagnostic{Severity: hcl.DiagError, Summary: err.Error(), Subject: attribute.SrcRange.Ptr()})
			continue
		}
		values[name] = decoded
	}
	for _, block := range body.Blocks {
		below, diags := bodyValues(block.Body, context)
		all = append(all, diags...)
		place(values, block, below)
	}
	return values, all
}

func place(values map[string]any, block *hclsyntax.Block, below map[string]any) {
	name := block.Type
	for _, label := range block.Labels {
		labelled, ok := values[name].(map[string]any)
		if !ok {
			labelled = map[string]any{}
			values[name] = labelled
		}
		values, name = labelled, label
	}
	switch existing := values[name].(type) {
	case nil:
		values[name] = below
	case []any:
		values[name] = append(existing, below)
	default:
		values[name] = []any{existing, below}
	}
}

func decodeValue(value cty.Value) (any, error) {
	data, err := ctyjson.Marshal(value, value.Type())
	if err != nil {
		return nil, fmt.Errorf("encode the value: %w", err)
	}
	var decoded any
	err = json.Unmarshal(data, &decoded)
	return decoded, err
}

// hclError turns diagnostics into an error with file, line, column and the line
// itself.
func hclError(path string, source []byte, diags hcl.Diagnostics) error {
	e := &deployment.Error{Code: deployment.Invalid, Message: path + " is not valid"}
	for _, d := range diags {
		if d.Severity != hcl.DiagError {
			continue
		}
		problem := deployment.Problem{File: path, Message: d.Summary, Remedy: d.Detail}
		if d.Subject != nil {
			problem.Line, problem.Column = d.Subject.Start.Line, d.Subject.Start.Column
			problem.Snippet = lineOf(source, problem.Line)
		}
		e.Problems = append(e.Problems, problem)
	}
	return e
}

func lineOf(source []byte, number int) string {
	lines := strings.Split(string(source), "\n")
	if number < 1 || number > len(lines) {
		return ""
	}
	return strings.TrimSuffix(lines[number-1], "\r")
}
