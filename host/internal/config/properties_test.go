package config_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/apm-deploy/apm/host/internal/config"
	"github.com/apm-deploy/apm/host/internal/deployment"
)

// anyOverride draws a configuration that the schema of process takes.
func anyOverride(t *rapid.T, label string, whole bool) json.RawMessage {
	text := rapid.StringMatching(`[ -~é]{0,8}`)
	out := map[string]any{}
	if whole || rapid.Bool().Draw(t, label+" command") {
		out["command"] = append([]string{"./x"}, rapid.SliceOfN(text, 0, 2).Draw(t, label+" words")...)
	}
	if rapid.Bool().Draw(t, label+" replicas") {
		out["replicas"] = rapid.IntRange(0, 100).Draw(t, label+" number")
	}
	if rapid.Bool().Draw(t, label+" env") {
		out["env"] = rapid.MapOfN(rapid.StringMatching(`[A-Z]{1,3}`), rapid.StringMatching(`[a-z ${}]{0,8}`), 0, 3).Draw(t, label+" variables")
	}
	if rapid.Bool().Draw(t, label+" ports") {
		ports := map[string]any{}
		for _, name := range rapid.SliceOfN(rapid.SampledFrom([]string{"http", "admin", "extra", "x"}), 0, 3).Draw(t, label+" names") {
			ports[name] = map[string]any{"listen": "127.0.0.1:7", "protocol": rapid.SampledFrom([]any{"tcp", "http", nil}).Draw(t, label+" protocol")}
		}
		out["port"] = ports
	}
	if rapid.Bool().Draw(t, label+" mounts") {
		mounts := []any{}
		for range rapid.IntRange(0, 2).Draw(t, label+" how many") {
			mounts = append(mounts, map[string]any{"from": "/" + text.Draw(t, label+" from"), "to": text.Draw(t, label+" to")})
		}
		out["mount"] = mounts
	}
	encoded, err := json.Marshal(out)
	if err != nil {
		t.Fatal(err)
	}
	return encoded
}

func anyRequest(t *rapid.T, label, name string, whole bool) deployment.Request {
	override := anyOverride(t, label, whole)
	environment := rapid.SampledFrom([]string{"", "prod", "other"}).Draw(t, label+" environment")
	if name == "a" && environment == "prod" {
		override = raw(`{"a":` + string(override) + `}`)
	}
	return deployment.Request{
		Name: name, Version: rapid.StringMatching(`v[0-9a-z.+-]{1,9}`).Draw(t, label+" version"), Environment: environment,
		Platform: rapid.SampledFrom([]string{"", "process"}).Draw(t, label+" platform"), Configuration: override,
		Policy: rapid.SampledFrom([]json.RawMessage{nil, raw(`{"bake":"3s"}`), raw(`{"timeouts":{"deploying":"4m"}}`)}).Draw(t, label+" policy"),
		HealthChecks: rapid.SampledFrom([]json.RawMessage{
			nil, raw(`[{"type":"tcp","name":"new","component":"` + name + `","address":"${address}"}]`),
			raw(`[{"type":"http","name":"one","component":"` + name + `","url":"http://${addresses.http}/x","headers":{"A":"${address}"}}]`),
		}).Draw(t, label+" checks"),
	}
}

// The same request gives the same definition, and a definition is its source
// defined again: with the file, without it, and born from requests.
func TestDefineIsStable(t *testing.T) {
	t.Parallel()
	withFile := applications(t, write(t, map[string]string{"applications/a.hcl": merging}))
	without := applications(t, write(t, nil))
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.SampledFrom([]string{"a", "solo"}).Draw(t, "name")
		var last *deployment.Definition
		for range rapid.IntRange(1, 3).Draw(t, "times") {
			req := anyRequest(t, "request", name, last == nil)
			first := mustDefine(t, withFile, req, last)
			same(t, "defined twice", first, mustDefine(t, withFile, req, last))
			again := mustDefine(t, withFile, first.Source.Request, &first)
			same(t, "from its source", first, again)
			same(t, "from its source alone", first, mustDefine(t, without, first.Source.Request, &first))
			if name == "solo" {
				// The merged request needs no predecessor.
				same(t, "from its request", first, mustDefine(t, without, first.Source.Request, nil))
			}
			next := first.Source.Request
			next.Version = "v9"
			next.Configuration, next.HealthChecks, next.Policy = nil, nil, nil
			if def := mustDefine(t, without, next, &first); def.Version != "v9" || def.Environment != first.Environment {
				t.Fatalf("by its name alone: %s in %s", def.Version, def.Environment)
			}
			last = &first
		}
	})
}

func mustDefine(t *rapid.T, a *config.Applications, req deployment.Request, last *deployment.Definition) deployment.Definition {
	def, _, err := a.Define(t.Context(), req, last)
	if err != nil {
		t.Fatalf("define %+v: %v", req, err)
	}
	return def
}

func same(t *rapid.T, what string, want, got deployment.Definition) {
	if diff := cmp.Diff(want, got, jsonEqual); diff != "" {
		t.Fatalf("%s (-want +got):\n%s", what, diff)
	}
	// A definition is stored as JSON.
	encoded, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	var decoded deployment.Definition
	if err := json.Unmarshal(encoded, &decoded); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(got, decoded, jsonEqual); diff != "" {
		t.Fatalf("%s, stored (-want +got):\n%s", what, diff)
	}
}

// Whatever is written, the answer is a definition or an error for people.
func FuzzDefine(f *testing.F) {
	f.Add(merging, `{"a":{"replicas":2}}`, `[{"type":"tcp","name":"x","address":"x:1"}]`, `{}`)
	f.Add(checked("      url = \"http://${address}/\""), `{"port":{"http":{"listen":"x:1"}}}`, `[{}]`, `{"timeouts":null}`)
	f.Add(spec("      command = [for x in [\"a\"] : upper(x)]\n      mount {}"), `{"mount":[{}],"limits":{"files":1e99}}`, `null`, `[]`)
	f.Add("application \"a\" {\n  component \"a\" \"b\" {}\n  environment {}\n  component {}\n}", `{"command":{}}`, `{}`, `1`)
	f.Add("application {}\n", `{"command":["x"],"port":{"a":{"listen":null}}}`, `[[]]`, `"x"`)
	f.Fuzz(func(t *testing.T, text, configuration, checks, policy string) {
		for _, one := range []string{configuration, checks, policy} {
			if !json.Valid([]byte(one)) {
				return // the server has refused it
			}
		}
		a := applications(t, write(t, map[string]string{"applications/a.hcl": text}))
		a.List(t.Context())
		req := deployment.Request{Name: "a", Version: "v1", Environment: "prod", Configuration: raw(configuration), HealthChecks: raw(checks), Policy: raw(policy)}
		last := deployment.Definition{Source: deployment.Source{Request: req}}
		for _, before := range []*deployment.Definition{nil, &last} {
			_, _, err := a.Define(t.Context(), req, before)
			var e *deployment.Error
			if err != nil && !errors.As(err, &e) {
				t.Errorf("got %v, which is no error for people", err)
			}
		}
	})
}
