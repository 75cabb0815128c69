package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// measure runs every benchmark of the figures, rounds times, the two sides in
// turns.
func measure(ctx context.Context, wanted []figure, rounds int, progress io.Writer) (*report, error) {
	dir, err := os.MkdirTemp("", "apm-bench-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	r := &report{Rounds: rounds}
	if r.Machine, err = calibrate(dir); err != nil {
		return nil, err
	}
	binaries := map[string]string{} // by package
	told := map[string][]numbers{}  // by benchmark: one run serves all of its figures
	for _, f := range wanted {
		if binaries[f.Dir] == "" {
			if binaries[f.Dir], err = build(ctx, f.Dir, dir); err != nil {
				return nil, err
			}
		}
		if told[f.Benchmark] == nil {
			if told[f.Benchmark], err = turns(ctx, f, binaries[f.Dir], rounds, progress); err != nil {
				return nil, err
			}
		}
		one := result{figure: f, Numbers: told[f.Benchmark]}
		if err := one.settle(); err != nil {
			return nil, err
		}
		r.Results = append(r.Results, one)
	}
	r.Machine.LoadAfter, err = load()
	return r, err
}

// turns runs a benchmark, baseline and product in turns.
func turns(ctx context.Context, f figure, binary string, rounds int, progress io.Writer) ([]numbers, error) {
	all := make([]numbers, rounds)
	for round := range all {
		fmt.Fprintf(progress, "%s: round %d of %d\n", f.Benchmark, round+1, rounds)
		var err error
		if all[round].Baseline, err = bench(ctx, f, binary, "baseline"); err != nil {
			return nil, err
		}
		if all[round].Product, err = bench(ctx, f, binary, "product"); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// build makes the test binary of a package.
func build(ctx context.Context, pkg, dir string) (string, error) {
	binary := filepath.Join(dir, strings.ReplaceAll(pkg, "/", "-")+".test")
	cmd := exec.CommandContext(ctx, "go", "test", "-c", "-o", binary, "./"+pkg)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build benchmarks of %s: %w\n%s", pkg, err, out)
	}
	return binary, nil
}

// bench runs one side of a benchmark once and returns its numbers by unit.
func bench(ctx context.Context, f figure, binary, side string) (map[string]float64, error) {
	cmd := exec.CommandContext(ctx, binary, "-test.run", "^$", "-test.bench", "^Benchmark"+f.Benchmark+"$/^"+side+"$", "-test.benchtime", "1x", "-test.timeout", "10m")
	cmd.Dir = filepath.FromSlash(f.Dir)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("benchmark %s/%s: %w\n%s%s", f.Benchmark, side, err, out, stderr.Bytes())
	}
	told := parse(string(out), f.Benchmark)
	if len(told) == 0 {
		return nil, fmt.Errorf("benchmark %s/%s tells nothing:\n%s", f.Benchmark, side, out)
	}
	return told, nil
}

// parse reads the line of a benchmark in the usual form: name, iterations, then
// numbers with their units.
func parse(out, name string) map[string]float64 {
	told := map[string]float64{}
	for line := range strings.Lines(out) {
		fields := strings.Fields(line)
		if len(fields) < 4 || !strings.HasPrefix(fields[0], "Benchmark"+name+"/") {
			continue
		}
		for i := 2; i+1 < len(fields); i += 2 {
			if n, err := strconv.ParseFloat(fields[i], 64); err == nil {
				told[fields[i+1]] = n
			}
		}
	}
	return told
}
