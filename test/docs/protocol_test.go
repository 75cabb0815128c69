package docs_test

import "testing"

// TestProtocolIsTold goes by the sources of the SDK and of the host.
func TestProtocolIsTold(t *testing.T) {
	t.Parallel()
	const page = "docs/plugin-protocol.md"
	errors := sources(t, "sdk", "sdk/error.go")
	for _, code := range found(t, errors, `(?m)^\t\w+ +Code = "([A-Z_]+)"`, 14) {
		tells(t, page, "`"+code+"`")
	}
	for _, reason := range found(t, errors, `Reason = "([A-Z_]+)"`, 14) {
		tells(t, page, "`"+reason+"`")
	}
	variables := found(t, sources(t, "sdk/serve", "serve.go"), `"([A-Z]+_[A-Z_]+)"`, 4)
	variables = append(variables, found(t, sources(t, "host/internal/platform", "environment.go"), `env\w+ += "([A-Z_]+)"`, 4)...)
	variables = append(variables, found(t, sources(t, "sdk/wire", "plugin.go"), `MagicCookie\w+: +"(\w+)"`, 2)...)
	for _, variable := range variables {
		tells(t, page, "`"+variable+"`")
	}
	for _, number := range []string{"16 MiB", "8 MiB", "64 KiB", "| 20 |", "| 100, the last ones |", "104 bytes"} {
		tells(t, page, number)
	}
}
