package badinput_test

import (
	"strings"
	"testing"

	"github.com/apm-deploy/apm/test/harness"
)

// usageErrors types command lines that are wrong: exit code 2, and the way to
// the help of the command that was meant.
func usageErrors(t *testing.T, w *world) {
	w.Write("plan.json", "{")
	w.Write("other.json", `{"deployments":[]}`)
	w.Write("rollback.json", w.Must(0, "deploy", "rollback", w.current, "--dry-run", "-o", "json").Stdout)
	line := func(text string) []string { return strings.Fields(text) }
	for name, c := range map[string]struct {
		arguments []string
		command   string // whose help is pointed to
		told
	}{
		"unknown command":            {line("deplyo list"), "apm", told{`"deplyo"`, "unknown command", `did you mean "deploy"?`}},
		"unknown, far from any":      {line("frobnicate"), "apm", told{`"frobnicate"`, "unknown command", "apm --help"}},
		"unknown subcommand":         {line("deploy lst"), "apm deploy", told{`"lst"`, "unknown command", `did you mean "list"?`}},
		"unknown plugin command":     {line("plugin lck"), "apm plugin", told{`"lck"`, "unknown command", `did you mean "lock"`}},
		"command with an escape":     {[]string{"\x1b[2J"}, "apm", told{`"\x1b[2J"`, "unknown command", "apm --help"}},
		"unknown flag":               {line("deploy list --platfor x"), "apm deploy list", told{"--platfor", "unknown flag", "did you mean --platform?"}},
		"unknown letter":             {line("deploy list -z"), "apm deploy list", told{"-z", "unknown shorthand flag", "--help"}},
		"flag without value":         {line("deploy start --name"), "apm deploy start", told{"--name", "flag needs an argument", "--help"}},
		"missing name":               {line("deploy start --version v1"), "apm deploy start", told{"--name", "is missing", "it names the application"}},
		"missing version":            {line("deploy start --name shop"), "apm deploy start", told{"--version", "is missing", "it names the version"}},
		"start with an argument":     {line("deploy start shop v1"), "apm deploy start", told{`"shop"`, "unexpected argument", "--help"}},
		"missing id":                 {line("deploy status"), "apm deploy status", told{"ID", "is missing", "--help"}},
		"two ids":                    {line("deploy status a b"), "apm deploy status", told{`"b"`, "unexpected argument", "--help"}},
		"missing id, rollback":       {line("deploy rollback --reason x"), "apm deploy rollback", told{"ID", "is missing", "--help"}},
		"missing name, remove":       {line("deploy remove"), "apm deploy remove", told{"NAME", "is missing", "--help"}},
		"unknown format":             {line("deploy list -o xml"), "apm deploy list", told{"--output", `"xml"`, "must be one of table, wide, json, yaml, jsonl"}},
		"jq and template":            {line("deploy list --jq . --template x"), "apm deploy list", told{"--jq", "exclude each other", "--help"}},
		"jq":                         {[]string{"deploy", "list", "--jq", ".deployments["}, "apm deploy list", told{"--jq", "is no expression of jq: unexpected EOF", "--help"}},
		"jq, unknown function":       {[]string{"deploy", "list", "--jq", "frobnicate"}, "apm deploy list", told{"--jq", "is no expression of jq: function not defined: frobnicate", "--help"}},
		"template":                   {[]string{"deploy", "list", "--template", "{{.x"}, "apm deploy list", told{"--template", "is no template of Go: :1: unclosed action", "--help"}},
		"template, unknown function": {[]string{"deploy", "list", "--template", "{{frobnicate .}}"}, "apm deploy list", told{"--template", `is no template of Go: :1: function "frobnicate" not defined`, "--help"}},
		"limit of a word":            {line("deploy list --limit many"), "apm deploy list", told{"--limit", `"many"`, "write a number"}},
		"limit of nothing":           {line("deploy list --limit 0"), "apm deploy list", told{"--limit", "at least 1", "--help"}},
		"unknown status":             {line("deploy list --status done"), "apm deploy list", told{"--status", `"done"`, "one of pending, preparing"}},
		"timeout without unit":       {line("deploy watch 550e8400 --timeout 10"), "apm deploy watch", told{"--timeout", `"10"`, "write a number and a unit, such as 30s"}},
		"negative timeout":           {line("deploy watch " + w.current + " --timeout -5s"), "apm deploy watch", told{"--timeout", `"-5s"`, "write a number and a unit"}},
		"since":                      {line("deploy logs " + w.current + " --since yesterday"), "apm deploy logs", told{"--since", `"yesterday"`, "write a number and a unit"}},
		"tail":                       {line("deploy logs " + w.current + " --tail -1"), "apm deploy logs", told{"--tail", "-1", "write a number from 1 to 5000"}},
		"role":                       {line("token create x --role root"), "apm token create", told{"--role", `"root"`, "one of viewer, deployer, admin"}},
		"expires":                    {line("token create x --role viewer --expires 5"), "apm token create", told{"--expires", `"5"`, "write a number and a unit"}},
		"expired already":            {line("token create x --role viewer --expires -5h"), "apm token create", told{"--expires", `"-5h"`, "write a number and a unit"}},
		"shell":                      {line("completion tcsh"), "apm completion", told{`"tcsh"`, "unknown shell", "one of bash, zsh, fish, powershell"}},
		"url without scheme":         {line("deploy list --url localhost:8080"), "apm deploy list", told{`"localhost:8080"`, "is not the URL of a host", "write http://HOST:PORT"}},
		"url of a file":              {line("deploy list --url file:///etc/passwd"), "apm deploy list", told{`"file:///etc/passwd"`, "is not the URL of a host", "write http://HOST:PORT"}},
		"url with an escape":         {[]string{"deploy", "list", "--url", "http://\x1b[2J"}, "apm deploy list", told{`"http://\x1b[2J"`, "is not the URL of a host", "write http://HOST:PORT"}},
		"plan not there":             {line("deploy start --plan nothing.json"), "apm deploy start", told{"--plan nothing.json", "cannot be read: no such file or directory", "make one with --dry-run"}},
		"plan that is no JSON":       {line("deploy start --plan plan.json"), "apm deploy start", told{"--plan plan.json", "holds no plan", "make one with --dry-run"}},
		"plan that is something":     {line("deploy start --plan other.json"), "apm deploy start", told{"--plan other.json", "holds no plan", "make one with --dry-run"}},
		"plan of a rollback":         {line("deploy start --plan rollback.json"), "apm deploy start", told{"--plan rollback.json", "holds the plan of another command", "apm deploy rollback carries it out"}},
		"plan and name":              {line("deploy start --name x --plan rollback.json"), "apm deploy start", told{"--name and --plan", "exclude each other", "the plan holds the request"}},
		"plan and dry run":           {line("deploy rollback " + w.current + " --dry-run --plan rollback.json"), "apm deploy rollback", told{"--dry-run and --plan", "exclude each other", "--help"}},
		"set without value":          {line("deploy start --name shop --version v1 --set replicas"), "apm deploy start", told{`--set "replicas"`, "has no value", "write KEY=VALUE"}},
		"set without key":            {line("deploy start --name shop --version v1 --set =2"), "apm deploy start", told{`--set "=2"`, "has no key", "write KEY=VALUE"}},
		"set through a text":         {line("deploy start --name shop --version v1 --set directory=x --set directory.y=z"), "apm deploy start", told{`--set "directory.y=z"`, "directory has a value already", "leave out one of the two"}},
		"config not there":           {line("deploy start --name shop --version v1 --config nothing.hcl"), "apm deploy start", told{"nothing.hcl", "no such file or directory", "--config"}},
		"plan without an end":        {line("deploy start --plan /dev/zero"), "apm deploy start", told{"--plan /dev/zero", "it is larger than 4 MiB", "make one with --dry-run"}},
		"config without an end":      {line("deploy start --name shop --version v1 --config /dev/zero"), "apm deploy start", told{"--config /dev/zero", "it is larger than 4 MiB", "--help"}},
		"log level":                  {line("serve --log-level loud"), "apm serve", told{"--log-level", `"loud"`, "one of debug, info, warn, error"}},
		"log format":                 {line("serve --log-format xml"), "apm serve", told{"--log-format", `"xml"`, "text or json"}},
		"clean of one":               {line("doctor --installation x"), "apm doctor", told{"--installation", "goes with", "--clean"}},
		"lock of nothing":            {line("config validate a b"), "apm config validate", told{`"b"`, "unexpected argument", "--help"}},
	} {
		t.Run(name, func(t *testing.T) {
			changed := w.nothing(t)
			r := w.CLI(c.arguments...)
			refused(t, r, 2, c.told)
			if hint := "  " + c.command + " --help shows how it is used\n"; !strings.HasSuffix(r.Stderr, hint) {
				t.Errorf("it does not end with %q: %s", hint, r)
			}
			changed()
		})
	}
	t.Run("not UTF-8", func(t *testing.T) {
		refused(t, w.Run(harness.Command{Arguments: []string{"deploy", "\xff\xfe"}}), 2, told{`"\xff\xfe"`, "is no UTF-8 text", "write it as UTF-8"})
	})
}
