package config_test

import (
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/apm-deploy/apm/host/internal/config"
)

func TestLoadRefuses(t *testing.T) {
	t.Parallel()
	const plugin = `plugin "process" { path = "p" }` + "\n"
	cases := map[string]string{
		"syntax error":           "server {\n  listen = \n}\n",
		"unclosed block":         "server {\n",
		"unknown block":          "sever {}\n",
		"unknown attribute":      "server {\n  lissten = \"x\"\n}\n",
		"nothing near":           "server {\n  colour = \"x\"\n}\n",
		"attribute at the top":   "listen = \"x\"\n",
		"wrong type":             "server {\n  websocket {\n    buffer = [1]\n  }\n}\n",
		"wrong element":          "server {\n  allowed_hosts = [\"a\",\n    [\"b\"]]\n}\n",
		"variable":               "server {\n  listen = localhost\n}\n",
		"block for attribute":    "server {\n  listen {}\n}\n",
		"attribute for block":    "server {\n  websocket = {}\n}\n",
		"block twice":            "server {}\n\nserver {}\n",
		"label missing":          "plugin {\n  path = \"x\"\n}\n",
		"label too many":         "server \"x\" {}\n",
		"later tls":              "server {\n  tls {}\n}\n",
		"later database":         "deployment {\n  history {\n    database {}\n  }\n}\n",
		"later redis":            "deployment {\n  cache {\n    redis {}\n  }\n}\n",
		"later oidc":             "oidc {}\n",
		"later freeze":           "deployment {\n  freeze {}\n}\n",
		"listen without port":    "server {\n  listen = \"localhost\"\n}\n",
		"listen bad port":        "server {\n  listen = \"localhost:99999\"\n}\n",
		"anonymous admin":        "server {\n  anonymous = \"admin\"\n}\n",
		"anonymous everywhere":   "server {\n  listen = \"0.0.0.0:8080\"\n  anonymous = \"viewer\"\n}\n",
		"anonymous any":          "server {\n  listen = \":8080\"\n  anonymous = \"viewer\"\n}\n",
		"host with port":         "server {\n  allowed_hosts = [\"localhost:8080\"]\n}\n",
		"origin with path":       "server {\n  allowed_origins = [\"http://x/y\"]\n}\n",
		"origin any":             "server {\n  allowed_origins = [\"*\"]\n}\n",
		"bad duration":           "server {\n  websocket {\n    ping = \"15\"\n  }\n}\n",
		"ping after idle":        "server {\n  websocket {\n    ping = \"2m\"\n  }\n}\n",
		"buffer":                 "server {\n  websocket {\n    buffer = 0\n  }\n}\n",
		"buffer fraction":        "server {\n  websocket {\n    buffer = 1.5\n  }\n}\n",
		"plugin without path":    "plugin \"process\" {\n  dev = true\n}\n",
		"plugin twice":           plugin + plugin,
		"plugin named history":   "plugin \"history\" { path = \"p\" }\n",
		"plugin name":            "plugin \"A b\" { path = \"p\" }\n",
		"sha256":                 "plugin \"process\" {\n  path = \"p\"\n  sha256 = \"9f2c\"\n}\n",
		"environment value":      "plugin \"process\" {\n  path = \"p\"\n  environment = [\"A\", \"B=1\"]\n}\n",
		"log level":              "plugin \"process\" {\n  path = \"p\"\n  log_level = \"wran\"\n}\n",
		"memory limit":           "plugin \"process\" {\n  path = \"p\"\n  memory_limit = \"512 MB\"\n}\n",
		"memory limit negative":  "plugin \"process\" {\n  path = \"p\"\n  memory_limit = \"-1GiB\"\n}\n",
		"memory limit endless":   "plugin \"process\" {\n  path = \"p\"\n  memory_limit = \"9999999999999GiB\"\n}\n",
		"memory limit number":    "plugin \"process\" {\n  path = \"p\"\n  memory_limit = 1024\n}\n",
		"memory limit low":       "plugin \"process\" {\n  path = \"p\"\n  memory_limit = \"63MiB\"\n}\n",
		"open files":             "plugin \"process\" {\n  path = \"p\"\n  open_files = 10\n}\n",
		"platform of no plugin":  plugin + "deployment {\n  procss {}\n}\n",
		"kubernetes, no plugin":  "deployment {\n  kubernetes {}\n}\n",
		"misspelled history":     "deployment {\n  histroy {}\n}\n",
		"platform with label":    plugin + "deployment {\n  process \"x\" {}\n}\n",
		"platform twice":         plugin + "deployment {\n  process {}\n}\nplatform \"process\" {\n  plugin = \"process\"\n}\n",
		"platform, no plugin":    plugin + "platform \"x\" {}\n",
		"platform, which plugin": plugin + "platform \"x\" {\n  plugin = \"procss\"\n}\n",
		"plugin in deployment":   plugin + "deployment {\n  process {\n    plugin = \"docker\"\n  }\n}\n",
		"monitor":                plugin + "deployment {\n  process {\n    monitor {\n      interval = \"often\"\n      timout = \"1s\"\n    }\n  }\n}\n",
		"default platform":       plugin + "deployment {\n  default_platform = \"procss\"\n  process {}\n}\n",
		"no platform at all":     "deployment {\n  default_platform = \"process\"\n}\n",
		"default environment":    "deployment {\n  default_environment = \"a/b\"\n}\n",
		"pattern":                "deployment {\n  applications = [\"[\"]\n}\n",
		"keep":                   "deployment {\n  history {\n    keep {\n      count = 0\n      age = \"-1d\"\n    }\n  }\n}\n",
		"env not set":            "server {\n  listen = env(\"APM_TEST_NOT_SET\")\n}\n",
		"unknown function":       "server {\n  listen = upper(\"x\")\n}\n",
		"several at once":        "sever {}\nhots {}\n",
	}
	var got strings.Builder
	for _, name := range slices.Sorted(maps.Keys(cases)) {
		dir := write(t, map[string]string{"config.hcl": cases[name] + `host { data_dir = "data" }`})
		_, err := config.Load(filepath.Join(dir, "config.hcl"))
		section(&got, name, cases[name], problems(t, dir, err))
	}
	golden(t, "load_errors", got.String())
}
