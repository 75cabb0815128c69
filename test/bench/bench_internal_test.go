package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const root = "../.."

// TestOneRound is make bench for one figure.
func TestOneRound(t *testing.T) {
	t.Chdir(root)
	file := filepath.Join(t.TempDir(), "bench.json")
	var out bytes.Buffer
	if err := run(t.Context(), []string{"-run", "Unary", "-rounds", "1", "-json", file}, &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	var told report
	text, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(text, &told)
	}
	if err != nil {
		t.Fatal(err)
	}
	if len(told.Results) != 1 || told.Results[0].ID != "P9" || told.Results[0].Ratio <= 0 || told.Results[0].ProductValue <= 0 {
		t.Errorf("the document: %s", text)
	}
	if want := fmt.Sprintf("%.2f", told.Results[0].Ratio); !strings.Contains(out.String(), want) || !strings.Contains(out.String(), "P9") {
		t.Errorf("the table has no P9 of %s:\n%s", want, &out)
	}
}

func TestRunRefuses(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"no such figure":  {[]string{"-run", "P99"}, `-run "P99": no figure is called that; there are P8 StreamSaturated`},
		"not a regexp":    {[]string{"-run", "("}, "-run: error parsing regexp"},
		"no round":        {[]string{"-rounds", "0"}, "-rounds is 0: give 1 or more"},
		"unknown flag":    {[]string{"-fast"}, "flag provided but not defined: -fast"},
		"an argument":     {[]string{"P8"}, `"P8" is no flag: -run P8 chooses figures`},
		"nowhere to tell": {[]string{"-json", "/nowhere/bench.json"}, "-json: open /nowhere/bench.json"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := run(t.Context(), test.args, io.Discard, io.Discard)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	const out = `goos: linux
BenchmarkUnary/baseline-2         	       1	1604323910 ns/op	       444.0 cpu-us/call	       288.2 us-p50
BenchmarkUnaryOther/baseline-2    	       1	         1 ns/op
PASS
`
	want := map[string]float64{"ns/op": 1604323910, "cpu-us/call": 444, "us-p50": 288.2}
	if diff := cmp.Diff(want, parse(out, "Unary")); diff != "" {
		t.Error(diff)
	}
}

func TestSettle(t *testing.T) {
	t.Parallel()
	rounds := func(pairs ...float64) []numbers {
		var all []numbers
		for i := 0; i < len(pairs); i += 2 {
			all = append(all, numbers{Baseline: map[string]float64{"u": pairs[i]}, Product: map[string]float64{"u": pairs[i+1]}})
		}
		return all
	}
	for name, test := range map[string]struct {
		figure  figure
		rounds  []numbers
		ratio   float64
		least   float64
		most    float64
		met     bool
		wantErr string
	}{
		"ratio of each round, not of medians": {figure{Unit: "u", Bound: atMost, Target: 1.2}, rounds(1, 2, 10, 10, 100, 110), 1.1, 1, 2, true, ""},
		"an even number of rounds":            {figure{Unit: "u", Bound: atLeast, Target: 4}, rounds(1, 3, 1, 5), 4, 3, 5, true, ""},
		"missed":                              {figure{Unit: "u", Bound: atLeast, Target: 4}, rounds(1, 3.99), 3.99, 3.99, 3.99, false, ""},
		"absolute":                            {figure{Unit: "u", Bound: atMost, Target: 64, Absolute: true}, rounds(0, 60, 0, 70, 0, 20), 60, 20, 70, true, ""},
		"nothing to compare with":             {figure{Unit: "u", Bound: atMost, Target: 1}, rounds(0, 1), 0, 0, 0, false, "nothing can be compared with it"},
		"not told":                            {figure{Unit: "v", Bound: atMost, Target: 1}, rounds(1, 1), 0, 0, 0, false, "tells no v"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := result{figure: test.figure, Numbers: test.rounds}
			err := r.settle()
			if test.wantErr != "" {
				if err == nil || !strings.Contains(err.Error(), test.wantErr) {
					t.Errorf("got %v, want %q", err, test.wantErr)
				}
				return
			}
			if err != nil || r.Ratio != test.ratio || r.RatioLeast != test.least || r.RatioMost != test.most || r.Met != test.met {
				t.Errorf("got %v, %v to %v, met %v, %v", r.Ratio, r.RatioLeast, r.RatioMost, r.Met, err)
			}
		})
	}
}

// Every figure has its line on the page, with its target.
func TestFiguresAreTold(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(filepath.Join(root, "docs", "benchmarks.md"))
	if err != nil {
		t.Fatal(err)
	}
	left := strings.Split(string(page), "\n")
	for _, f := range figures() {
		target := fmt.Sprintf("%s %g", f.Bound, f.Target)
		found := false
		for i, line := range left {
			if strings.HasPrefix(line, "| "+f.ID+" |") && strings.Contains(line, "| "+target) && strings.Contains(line, "`-run "+f.Benchmark+"`") {
				left[i], found = "", true
				break
			}
		}
		if !found {
			t.Errorf("docs/benchmarks.md has no line for %s, %s, -run %s", f.ID, target, f.Benchmark)
		}
	}
}
