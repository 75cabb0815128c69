// Package docs_test executes the documentation: every fenced block of README.md,
// CHANGELOG.md and docs/ runs against a real host on a home of its own, or is
// read strictly by what would read it; every link leads somewhere; and what the
// product has (commands, exit codes, keys, events, metrics, routes) is told.
//
// The kinds of blocks:
//
//	sh             runs, and must end well
//	sh background  starts the host, which runs until the end of the page; with
//	               --config-file it is one on a config.hcl that the page has made
//	console        each "$ command" runs; the lines below it are what it writes,
//	               compared without times, ids and numbers; "…" stands for anything
//	hcl            an application file is planned by the host; anything else is a
//	               config.hcl, validated and served
//	json TYPE      decoded strictly into that type of api/v1; a StartRequest is
//	               planned by the host too
//	js             its WebSocket URL is connected to
//	mermaid        a picture
//
// An HTML comment <!-- sh … --> runs without being shown, and <!-- host --> is
// what "sh background" is. The example id 550e8400-e29b-41d4-a716-446655440000
// stands for the deployment that was accepted last.
package docs_test

import (
	"os"
	"path/filepath"
	"testing"
)

// TestMain also is the stand-in for curl, see curl_test.go.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "curl" {
		//nolint:forbidigo // this process is curl, and ends as curl does
		os.Exit(curl(os.Args[1:], os.Stdout, os.Stderr))
	}
	m.Run()
}
