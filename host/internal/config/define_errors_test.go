package config_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/apm-deploy/apm/host/internal/deployment"
)

// app puts lines into a component of an application; the first stands in line 4.
func app(lines string) string {
	return "application \"a\" {\n  component \"a\" {\n    platform = \"process\"\n" + lines + "\n  }\n}\n"
}

// spec puts lines into the spec of it; the first stands in line 5.
func spec(lines string) string { return app("    spec {\n" + lines + "\n    }") }

// checked puts lines into an http check of it; the first stands in line 6.
func checked(lines string) string {
	return app("    spec { command = [\"x\"] }\n    check \"http\" \"c\" {\n" + lines + "\n    }")
}

// components makes components with their dependencies.
func components(dependencies ...string) string {
	var b strings.Builder
	b.WriteString("application \"a\" {\n")
	for _, one := range dependencies {
		name, on, _ := strings.Cut(one, ":")
		b.WriteString("  component \"" + name + "\" {\n    depends_on = [" + on + "]\n    spec { command = [\"x\"] }\n  }\n")
	}
	return b.String() + "}\n"
}

func TestDefineRefusesFiles(t *testing.T) {
	t.Parallel()
	cases := map[string]string{
		"syntax error":                "application \"a\" {\n  component \"a\" {\n    platform = \n  }\n}\n",
		"not even a block":            "application \"a\n",
		"unknown block":               "application \"a\" {\n  compnent \"a\" {}\n}\n",
		"unknown attribute":           app("    platfrm = \"x\""),
		"unknown root block":          "applications \"b\" {}\napplication \"a\" {}\n",
		"attribute at the root":       "version = 1\napplication \"a\" {}\n",
		"no component":                "application \"a\" {\n}\n",
		"component without name":      "application \"a\" {\n  component {}\n}\n",
		"component twice":             "application \"a\" {\n  component \"x\" {}\n  component \"x\" {}\n}\n",
		"component name":              "application \"a\" {\n  component \"x/y\" {}\n}\n",
		"environment name":            "application \"a\" {\n  environment \"\" {}\n}\n",
		"environment twice":           "application \"a\" {\n  environment \"x\" {}\n  environment \"x\" {}\n}\n",
		"environment unknown key":     "application \"a\" {\n  component \"a\" {\n    spec { command = [\"x\"] }\n  }\n  environment \"x\" {\n    bake = \"1s\"\n  }\n}\n",
		"spec as attribute":           app("    spec = {}"),
		"spec twice":                  app("    spec {}\n    spec {}"),
		"spec unknown key":            spec("      comand = [\"x\"]\n      command = [\"x\"]"),
		"spec missing":                app(""),
		"spec lacks command":          spec("      replicas = 1"),
		"spec null":                   spec("      command = null"),
		"spec wrong type":             spec("      command = \"./server\""),
		"spec wrong element":          spec("      command = [\"x\",\n        [\"y\"]]"),
		"spec wrong map":              spec("      command = [\"x\"]\n      env = {\n        A = \"1\"\n        B = [2]\n      }"),
		"spec no number":              spec("      command = [\"x\"]\n      replicas = \"many\""),
		"port without listen":         spec("      command = [\"x\"]\n      port \"http\" {}"),
		"port without name":           spec("      command = [\"x\"]\n      port { listen = \"x:1\" }"),
		"port twice":                  spec("      command = [\"x\"]\n      port \"http\" { listen = \"x:1\" }\n      port \"http\" { listen = \"x:1\" }"),
		"port as attribute":           spec("      command = [\"x\"]\n      port = { http = 1 }"),
		"env as block":                spec("      command = [\"x\"]\n      env { A = 1 }"),
		"plugin: an attribute":        spec("      command = [\"x\"]\n      replicas = 101"),
		"plugin: an element":          spec("      command = [\n        \"\",\n      ]"),
		"plugin: a member":            spec("      command = [\"x\"]\n      env = {\n        A = \"ok\"\n        B = \"no!\"\n      }"),
		"plugin: in a block":          spec("      command = [\"x\"]\n      port \"http\" {\n        listen = \"x\"\n      }"),
		"plugin: the whole":           spec("      command = [\"x\"]\n      directory = \"/nowhere\""),
		"unknown variable":            spec("      command = [\"x\", \"${versio}\"]"),
		"address in a spec":           spec("      command = [\"x\", address]"),
		"unknown function":            spec("      command = [\"x\", upper(version)]"),
		"variable without quotes":     spec("      command = [server]"),
		"part of a variable":          spec("      command = [version.major]"),
		"file absent":                 spec("      command = [file(\"secret.txt\")]"),
		"env absent":                  spec("      command = [env(\"APM_TEST_NOT_SET\")]"),
		"unknown platform":            "application \"a\" {\n  component \"a\" {\n    platform = \"procss\"\n  }\n}\n",
		"empty platform":              "application \"a\" {\n  component \"a\" {\n    platform = \"\"\n  }\n}\n",
		"check type":                  app("    spec { command = [\"x\"] }\n    check \"htp\" \"c\" {}"),
		"check of a later version":    app("    spec { command = [\"x\"] }\n    check \"postgres\" \"c\" {}"),
		"check without name":          app("    spec { command = [\"x\"] }\n    check \"http\" {}"),
		"check twice":                 app("    spec { command = [\"x\"] }\n    check \"http\" \"c\" {\n      url = \"http://x\"\n    }\n    check \"tcp\" \"c\" {\n      address = \"x:1\"\n    }"),
		"check unknown key":           checked("      url = \"http://x\"\n      intervall = \"1s\""),
		"check without url":           checked("      passes = 2"),
		"check url scheme":            checked("      url = \"ftp://x\""),
		"check url port":              checked("      url = \"http://x:99999/\""),
		"check url space":             checked("      url = \"http://a b/\""),
		"check url placeholder":       checked("      url = \"http://$${adress}/\""),
		"check address unnamed":       checked("      url = \"http://${addresses}/\""),
		"check address index":         checked("      url = \"http://${addresses[\"x\"]}/\""),
		"check address of a function": checked("      url = \"http://x/${file(address)}\""),
		"check address compared":      checked("      url = address == \"\" ? \"http://x\" : \"http://y\""),
		"check address in a pattern":  checked("      url = \"http://x\"\n      body = \"${address}\""),
		"check interval":              checked("      url = \"http://x\"\n      interval = \"5ms\""),
		"check timeout":               checked("      url = \"http://x\"\n      timeout = \"0s\""),
		"check duration":              checked("      url = \"http://x\"\n      startup = \"soon\""),
		"check passes":                checked("      url = \"http://x\"\n      passes = 0"),
		"check status":                checked("      url = \"http://x\"\n      status = [200, 99]"),
		"check no status":             checked("      url = \"http://x\"\n      status = []"),
		"check method":                checked("      url = \"http://x\"\n      method = \"get\""),
		"check body":                  checked("      url = \"http://x\"\n      body = \"(\""),
		"check header pattern":        checked("      url = \"http://x\"\n      header = {\n        Server = \"[\"\n      }"),
		"check headers":               checked("      url = \"http://x\"\n      headers = {\n        \"A B\" = \"x\"\n        C = \"x\\ny\"\n      }"),
		"tcp address":                 app("    spec { command = [\"x\"] }\n    check \"tcp\" \"c\" {\n      address = \"localhost\"\n    }"),
		"grpc address":                app("    spec { command = [\"x\"] }\n    check \"grpc\" \"c\" {\n      address = \"${address}:1\"\n    }"),
		"promote falling":             app("    spec { command = [\"x\"] }\n    promote {\n      steps = [50, 10, 100]\n    }"),
		"promote below 100":           app("    spec { command = [\"x\"] }\n    promote {\n      steps = [50, 90]\n    }"),
		"promote above 100":           app("    spec { command = [\"x\"] }\n    promote {\n      steps = [50, 101]\n    }"),
		"promote pause":               app("    spec { command = [\"x\"] }\n    promote {\n      pause = \"-1s\"\n    }"),
		"policy choice":               "application \"a\" {\n  policy {\n    on_failure = \"rolback\"\n    concurrent = \"wait\"\n  }\n  component \"a\" {\n    spec { command = [\"x\"] }\n  }\n}\n",
		"policy durations":            "application \"a\" {\n  policy {\n    bake = \"-1s\"\n    timeouts {\n      deploying = \"0s\"\n    }\n  }\n  component \"a\" {\n    spec { command = [\"x\"] }\n  }\n}\n",
		"policy unknown key":          "application \"a\" {\n  policy {\n    timeouts {\n      deploing = \"0s\"\n    }\n  }\n  component \"a\" {\n    spec { command = [\"x\"] }\n  }\n}\n",
		"approvals":                   "application \"a\" {\n  policy {\n    approval {}\n  }\n  component \"a\" {\n    spec { command = [\"x\"] }\n  }\n}\n",
		"freeze":                      "application \"a\" {\n  freeze {}\n}\n",
		"cycle":                       components(`web:"api"`, `api:"db"`, `db:"api"`, `else:`),
		"depends on itself":           components(`a:`, `b:"b"`),
		"dependency missing":          components(`web:"ap"`, `api:`),
		"dependency twice":            components(`web:"api", "api"`, `api:`),
	}
	var got strings.Builder
	for _, name := range slices.Sorted(maps.Keys(cases)) {
		dir := write(t, map[string]string{"applications/a.hcl": cases[name]})
		_, _, err := applications(t, dir).Define(t.Context(), deployment.Request{Name: "a", Version: "v1", Environment: "x"}, nil)
		section(&got, name, cases[name], problems(t, dir, err))
	}
	golden(t, "define_errors", got.String())
}

func TestDefineRefusesRequests(t *testing.T) {
	t.Parallel()
	dir := write(t, map[string]string{
		"applications/one.hcl":  strings.ReplaceAll(spec("      command = [\"x\"]\n      port \"http\" { listen = \"x:1\" }"), `"a"`, `"one"`),
		"applications/many.hcl": strings.Replace(components("web:", "api:"), `"a"`, `"many"`, 1),
	})
	a := applications(t, dir)
	type request = deployment.Request
	one := func(configuration string) request {
		return request{Name: "one", Version: "v1", Configuration: raw(configuration)}
	}
	checks := func(name, list string) request { return request{Name: name, Version: "v1", HealthChecks: raw(list)} }
	policy := func(text string) request { return request{Name: "one", Version: "v1", Policy: raw(text)} }
	cases := map[string]request{
		"no name":                     {Version: "v1"},
		"no version":                  {Name: "one"},
		"long name":                   {Name: strings.Repeat("x", 10_000), Version: "v1"},
		"long version":                {Name: "one", Version: strings.Repeat("v", 10_000)},
		"control character":           {Name: "one\x00", Version: "v1\n"},
		"slash":                       {Name: "a/b", Version: "../v1"},
		"dots":                        {Name: "one", Version: ".."},
		"direction mark":              {Name: "one\u202e", Version: "v1"},
		"space":                       {Name: " one", Version: "v1"},
		"no UTF-8":                    {Name: "one\xff", Version: "v1"},
		"environment":                 {Name: "one", Version: "v1", Environment: "a/b"},
		"unknown platform":            {Name: "one", Version: "v1", Platform: "kubernets"},
		"platform nobody uses":        {Name: "one", Version: "v1", Platform: "kubernetes"},
		"unknown key":                 one(`{"comand":["x"]}`),
		"unknown key, nothing near":   one(`{"zzzzzzzzzzzz":1}`),
		"unknown key in a block":      one(`{"port":{"http":{"listn":"x:1"}}}`),
		"wrong type":                  one(`{"replicas":"many"}`),
		"huge number":                 one(`{"replicas":1e999999999}`),
		"huge number as a text":       one(`{"replicas":"1e999999999"}`),
		"huge number for a text":      one(`{"env":{"A":-1e-99999}}`),
		"wrong type of a list":        one(`{"command":"./server"}`),
		"wrong element":               one(`{"command":["x",["y"]]}`),
		"wrong member":                one(`{"env":{"A":[1]}}`),
		"wrong block":                 one(`{"port":{"http":"x:1"}}`),
		"wrong blocks":                one(`{"port":["x:1"]}`),
		"wrong block list":            one(`{"mount":[{"from":"/x","to":"y"},5]}`),
		"no object":                   one(`["command"]`),
		"null":                        one(`{"command":null}`),
		"missing in a block":          one(`{"port":{"admin":{}}}`),
		"relative path":               one(`{"artifact":"dist/v1"}`),
		"relative path of home":       one(`{"artifact":"~/dist"}`),
		"relative path in a list":     one(`{"files":["/x","y"]}`),
		"relative path in a block":    one(`{"mount":[{"from":"x","to":"y"}]}`),
		"plugin: an attribute":        one(`{"replicas":101}`),
		"plugin: a member":            one(`{"env":{"A":"no!"}}`),
		"plugin: in a block":          one(`{"port":{"http":{"listen":"x"}}}`),
		"several: no component":       {Name: "many", Version: "v1", Configuration: raw(`{"wbe":{"replicas":2}}`)},
		"several: not keyed":          {Name: "many", Version: "v1", Configuration: raw(`{"replicas":2}`)},
		"several: wrong type":         {Name: "many", Version: "v1", Configuration: raw(`{"web":{"replicas":[]}}`)},
		"several: no object":          {Name: "many", Version: "v1", Configuration: raw(`{"web":5}`)},
		"checks: no list":             checks("one", `{}`),
		"checks: no object":           checks("one", `["http"]`),
		"checks: no type":             checks("one", `[{"name":"x"}]`),
		"checks: no name":             checks("one", `[{"type":"http"}]`),
		"checks: type no text":        checks("one", `[{"type":1,"name":"x"}]`),
		"checks: unknown type":        checks("one", `[{"type":"htp","name":"x"}]`),
		"checks: later type":          checks("one", `[{"type":"redis","name":"x"}]`),
		"checks: unknown key":         checks("one", `[{"type":"http","name":"x","url":"http://x","intervall":"1s"}]`),
		"checks: no url":              checks("one", `[{"type":"http","name":"x"}]`),
		"checks: duration":            checks("one", `[{"type":"http","name":"x","url":"http://x","interval":5}]`),
		"checks: other placeholder":   checks("one", `[{"type":"http","name":"x","url":"http://${address}/${env(\"HOME\")}"}]`),
		"checks: twice":               checks("one", `[{"type":"tcp","name":"x","address":"x:1"},{"type":"tcp","name":"x","address":"x:1"}]`),
		"checks: which component":     checks("many", `[{"type":"tcp","name":"x","address":"x:1"}]`),
		"checks: unknown component":   checks("many", `[{"type":"tcp","name":"x","address":"x:1","component":"wbe"}]`),
		"policy: unknown key":         policy(`{"bakes":"1s"}`),
		"policy: wrong type":          policy(`{"require_reason":"yes"}`),
		"policy: choice":              policy(`{"on_failure":"rolback"}`),
		"policy: duration":            policy(`{"timeouts":{"deploying":"x"}}`),
		"policy: no object":           policy(`"queue"`),
		"nobody knows it":             {Name: "foo", Version: "v1"},
		"nobody knows it, near":       {Name: "oen", Version: "v1"},
		"nobody knows it, some given": {Name: "foo", Version: "v1", Configuration: raw(`{"replicas":2,"port":{"http":{}}}`)},
		"nobody knows it, wrong":      {Name: "foo", Version: "v1", Configuration: raw(`{"command":["x"],"comand":1}`)},
	}
	var got strings.Builder
	for _, name := range slices.Sorted(maps.Keys(cases)) {
		_, _, err := a.Define(t.Context(), cases[name], nil)
		out := problems(t, dir, err)
		if len(err.Error()) > 2000 {
			t.Errorf("%s: the error is %d bytes long", name, len(err.Error()))
		}
		if strings.HasPrefix(name, "nobody") {
			out += "\n" + strings.ReplaceAll(err.Error(), dir+"/", "")
		}
		section(&got, name, "", out)
	}
	golden(t, "request_errors", got.String())
}
