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
	defer os.RemoveAll(dir)
	r := &report{Rounds: rounds}
	if r.Machine, err = calibrate(dir); err != nil {
		return nil, err
	}
	binaries := map[string]string{} // by package
	for _, f := range wanted {
		binary, built := binaries[f.Dir]
		if !built {
			if binary, err = build(ctx, f.Dir, dir); err != nil {
				return nil, err
			}
			binaries[f.Dir] = binary
		}
		one := result{figure: f}
		for round := range rounds {
			fmt.Fprintf(progress, "%s %s: round %d of %d\n", f.ID, f.Benchmark, round+1, rounds)
			for _, side := range []string{"baseline", "product"} {
				numbers, err := bench(ctx, f, binary, side)
				if err != nil {
					return nil, err
				}
				one.add(side, numbers)
			}
		}
		if err := one.settle(); err != nil {
			return nil, err
		}
		r.Results = append(r.Results, one)
	}
	r.Machine.LoadAfter, err = load()
	return r, err
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
	numbers := parse(string(out), f.Benchmark)
	if _, has := numbers[f.Unit]; !has {
		return nil, fmt.Errorf("benchmark %s/%s tells no %s:\n%s", f.Benchmark, side, f.Unit, out)
	}
	return numbers, nil
}

// parse reads the line of a benchmark in the usual form: name, iterations, then
// numbers with their units.
func parse(out, name string) map[string]float64 {
	numbers := map[string]float64{}
	for line := range strings.Lines(out) {
		fields := strings.Fields(line)
		if len(fields) < 4 || !strings.HasPrefix(fields[0], "Benchmark"+name+"/") {
			continue
		}
		for i := 2; i+1 < len(fields); i += 2 {
			if n, err := strconv.ParseFloat(fields[i], 64); err == nil {
				numbers[fields[i+1]] = n
			}
		}
	}
	return numbers
}
