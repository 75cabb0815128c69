package schema_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/apm-deploy/apm/sdk/schema"
)

func TestDecode(t *testing.T) {
	t.Parallel()
	half := 0.5
	minimal := spec{
		Command: []string{"./web"}, Replicas: 1, Stop: 10 * time.Second,
		Rules: []mount{{Source: "a", Target: "/data"}},
	}
	minimal.Limits.Memory = 64
	full := spec{
		Command: []string{"./web", "-v"}, Env: map[string]string{"A": "b"}, Replicas: 3, Weight: &half, Small: 255, Debug: true,
		Stop: time.Minute, Artifact: "/a", Mounts: []mount{{Source: "x", Target: "/data"}, {Source: "y", Target: "/y"}},
		Ports: map[string]port{"http": {Name: "http", Listen: ":80", Protocol: "http"}, "raw": {Name: "raw", Listen: ":81", Protocol: "tcp"}},
		Login: &credentials{User: "u", Password: "p"}, Rules: []mount{{Source: "a", Target: "/data"}},
	}
	full.Limits.Memory = 128
	for name, tc := range map[string]struct {
		json string
		want spec
	}{
		"defaults": {`{"command":["./web"],"rule":[{"source":"a"}]}`, minimal},
		"nulls": {`{"command":["./web"],"env":null,"replicas":null,"weight":null,"small":null,"debug":null,"stop":null,
			"artifact":null,"mounts":null,"port":null,"login":null,"limits":null,"rule":[{"source":"a","target":null}]}`, minimal},
		"all": {`{"command":["./web","-v"],"env":{"A":"b"},"replicas":3,"weight":0.5,"small":2.55e2,"debug":true,"stop":"1m",
			"artifact":"/a","mounts":[{"source":"x","target":null},{"source":"y","target":"/y"}],
			"port":{"http":{"listen":":80","protocol":null},"raw":{"listen":":81","protocol":"tcp"}},
			"login":{"user":"u","password":"p"},"limits":{"memory":128},"rule":[{"source":"a"}]}`, full},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got spec
			if ds := schema.Decode([]byte(tc.json), &got); len(ds) > 0 {
				t.Fatalf("diagnostics: %v", ds)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestDecodeOverwritesWhatWasThere(t *testing.T) {
	t.Parallel()
	got := spec{Artifact: "/old", Debug: true, Login: &credentials{User: "old"}}
	if ds := schema.Decode([]byte(`{"command":["x"],"rule":[{"source":"a"}]}`), &got); len(ds) > 0 {
		t.Fatal(ds)
	}
	if got.Artifact != "" || got.Debug || got.Login != nil {
		t.Errorf("left over: %+v", got)
	}
}

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		json, path, summary string
	}{
		"empty":                        {``, "command", "required"},
		"missing":                      {`{"rule":[{"source":"a"}]}`, "command", "required"},
		"null for required":            {`{"command":null}`, "command", "required"},
		"unknown":                      {`{"comand":["x"]}`, "comand", "unknown name"},
		"no object":                    {`[]`, "", "expected an object, got a list"},
		"no JSON":                      {`{"command":`, "", "no JSON"},
		"list for string":              {`{"artifact":["x"]}`, "artifact", "expected a string, got a list"},
		"string for list":              {`{"command":"x"}`, "command", "expected a list, got a string"},
		"number in list":               {`{"command":["x",5]}`, "command.1", "expected a string, got the number 5"},
		"null in list":                 {`{"command":["x",null]}`, "command.1", "got null"},
		"number in map":                {`{"env":{"A":5}}`, "env.A", "expected a string"},
		"list for map":                 {`{"env":[]}`, "env", "expected an object"},
		"string for number":            {`{"replicas":"3"}`, "replicas", "expected a number, got a string"},
		"fraction":                     {`{"replicas":1.5}`, "replicas", "whole number"},
		"too large":                    {`{"replicas":1e30}`, "replicas", "does not fit"},
		"uint8 too large":              {`{"small":256}`, "small", "does not fit"},
		"negative":                     {`{"small":-1}`, "small", "0 or more"},
		"float too large":              {`{"weight":1e999}`, "weight", "too large"},
		"string for bool":              {`{"debug":"true"}`, "debug", "true or false"},
		"number for duration":          {`{"stop":10}`, "stop", "duration"},
		"duration without unit":        {`{"stop":"10"}`, "stop", "no duration"},
		"in object":                    {`{"mounts":[{"source":"x"},{"target":"y"}]}`, "mounts.1.source", "required"},
		"unknown in object":            {`{"mounts":[{"source":"x","mode":1}]}`, "mounts.0.mode", "unknown name"},
		"in map of blocks":             {`{"port":{"http":{"protocol":"tcp"}}}`, "port.http.listen", "required"},
		"list for blocks":              {`{"port":[]}`, "port", "expected an object"},
		"in block":                     {`{"login":{"password":"p"}}`, "login.user", "required"},
		"no block where one is needed": {`{"command":["x"],"rule":[]}`, "rule", "at least one"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ds := schema.Decode([]byte(tc.json), &spec{})
			for _, d := range ds {
				if strings.Join(d.Path, ".") == tc.path && strings.Contains(d.Summary, tc.summary) {
					return
				}
			}
			t.Errorf("no %q: …%s… in %v", tc.path, tc.summary, ds)
		})
	}
}

func TestDecodeIntoSomethingElse(t *testing.T) {
	t.Parallel()
	for name, into := range map[string]any{"value": spec{}, "nil": (*spec)(nil), "int": new(int), "nothing": nil} {
		if ds := schema.Decode([]byte(`{}`), into); !ds.HasErrors() {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestRedact(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ json, want string }{
		"sensitive": {
			`{"command":["x"],"env":{"TOKEN":"canary"},"login":{"user":"u","password":"canary"},"replicas":12345678901234567890}`,
			`{"command":["x"],"env":"[redacted]","login":{"password":"[redacted]","user":"u"},"replicas":12345678901234567890}`,
		},
		"blocks":  {`{"port":{"http":{"listen":":80"}},"rule":[{"source":"a"}]}`, `{"port":{"http":{"listen":":80"}},"rule":[{"source":"a"}]}`},
		"nulls":   {`{"env":null,"login":null,"port":null,"rule":null}`, `{"env":null,"login":null,"port":null,"rule":null}`},
		"unknown": {`{"pasword":"canary","login":{"pin":"canary"}}`, `{"login":{"pin":"[redacted]"},"pasword":"[redacted]"}`},
		"empty":   {``, ``},
		"null":    {`null`, `null`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := schema.MustOf(spec{}).Redact([]byte(tc.json))
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
	for name, bad := range map[string]string{"no JSON": `{"env":"canary`, "wrong kind": `{"rule":"canary"}`, "wrong block": `{"port":{"a":[]}}`} {
		if got, err := schema.MustOf(spec{}).Redact([]byte(bad)); err == nil {
			t.Errorf("%s: no error, and %s", name, got)
		} else if strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: the error shows the value: %v", name, err)
		}
	}
}
