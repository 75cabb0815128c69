package conform_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/apm-deploy/apm/sdk/conform"
)

var update = flag.Bool("update", false, "write the golden files")

// golden compares got with a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v (go test -update writes it)", err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

// report is one of a plugin that tries to drive the reader's terminal, and to break
// out of XML.
func report() conform.Report {
	return conform.Report{
		Binary: "./apm-plugin-files", File: "./conform.hcl",
		Plugin:    conform.Plugin{Name: "files", Version: "1.2.3", Capabilities: []string{"plan", "cancel"}},
		StartedAt: time.Date(2026, 3, 4, 5, 6, 7, 890, time.UTC), Seconds: 61.5, Passed: 2, Failed: 2, Skipped: 1,
		Cases: []conform.Case{
			{Name: "describe before configure", Status: "passed", Seconds: 0.012},
			{Name: "10,000 log lines with a slow reader", Status: "passed", Seconds: 60.1, Messages: []string{"9000 lines arrived, 1000 were dropped"}},
			{Name: "staged: steps", Status: "skipped", Messages: []string{"the plugin has no capability percent"}},
			{
				Name: "rollback twice", Status: "failed", Seconds: 1.25,
				Messages: []string{"\n\x1b[2J\x1b]0;title\x07observed <digest>: want \"a&b\", got \x00\"größer\"\nsecond\tline", "and another ]]> message"},
				Log:      "{\"@message\":\"one\"}\n\x1b[31mred\x1b[0m\xff\n",
			},
			{Name: "lifeline closes", Status: "failed", Seconds: 2, Messages: []string{strings.Repeat("long ", 40)}},
		},
	}
}

// table writes the report for people.
func table(s conform.Streams, verbose bool) string {
	var out bytes.Buffer
	s.Out = &out
	r := report()
	r.WriteTable(s, verbose)
	return out.String()
}

func TestTable(t *testing.T) {
	t.Parallel()
	plain := table(conform.Streams{}, false)
	golden(t, "table.golden", plain)
	golden(t, "table_verbose.golden", table(conform.Streams{}, true))
	golden(t, "table_terminal.golden", table(conform.Streams{Control: true, Width: 80}, false))
	if i := strings.IndexFunc(plain, func(r rune) bool { return r < ' ' && r != '\n' && r != '\t' || r == 0x7f }); i >= 0 {
		t.Errorf("a control byte at %d: %q", i, plain[i:])
	}
}

func TestJSON(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if err := report().WriteJSON(&out); err != nil {
		t.Fatal(err)
	}
	golden(t, "report.json", out.String())
	var back conform.Report
	decoder := json.NewDecoder(&out)
	if err := decoder.Decode(&back); err != nil || back.Failed != 2 || len(back.Cases) != 5 {
		t.Errorf("read again: %v %+v", err, back)
	}
	if _, err := decoder.Token(); err != io.EOF {
		t.Errorf("more than one document: %v", err)
	}
}

func TestJUnit(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if err := report().WriteJUnit(&out); err != nil {
		t.Fatal(err)
	}
	golden(t, "report.xml", out.String())
	checkJUnit(t, out.Bytes(), 5, 2, 1)
}

// checkJUnit reads a report as CI does, and compares what it counts with what is
// in it.
func checkJUnit(t *testing.T, document []byte, tests, failures, skipped int) {
	t.Helper()
	var read struct {
		XMLName xml.Name `xml:"testsuites"`
		Suites  []struct {
			Tests    int `xml:"tests,attr"`
			Failures int `xml:"failures,attr"`
			Errors   int `xml:"errors,attr"`
			Skipped  int `xml:"skipped,attr"`
			Cases    []struct {
				Name    string  `xml:"name,attr"`
				Class   string  `xml:"classname,attr"`
				Time    float64 `xml:"time,attr"`
				Failure *string `xml:"failure"`
				Skipped *string `xml:"skipped"`
			} `xml:"testcase"`
		} `xml:"testsuite"`
	}
	decoder := xml.NewDecoder(bytes.NewReader(document))
	decoder.Strict = true
	if err := decoder.Decode(&read); err != nil || len(read.Suites) != 1 {
		t.Fatalf("no JUnit XML: %v\n%s", err, document)
	}
	suite := read.Suites[0]
	counted := map[string]int{"tests": len(suite.Cases), "failures": 0, "skipped": 0}
	for _, one := range suite.Cases {
		if one.Name == "" || one.Class == "" {
			t.Errorf("a case without a name or a class: %+v", one)
		}
		if one.Failure != nil {
			counted["failures"]++
		}
		if one.Skipped != nil {
			counted["skipped"]++
		}
	}
	want := map[string]int{"tests": tests, "failures": failures, "skipped": skipped}
	stated := map[string]int{"tests": suite.Tests, "failures": suite.Failures, "skipped": suite.Skipped}
	if diff := cmp.Diff(want, counted); diff != "" {
		t.Errorf("what is in it (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want, stated); diff != "" {
		t.Errorf("what it states (-want +got):\n%s", diff)
	}
}
