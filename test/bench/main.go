package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"strings"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run measures and reports. It is called in the root of the repository.
func run(ctx context.Context, args []string, out, progress io.Writer) error {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(progress)
	rounds := flags.Int("rounds", 5, "turns of baseline and product")
	only := flags.String("run", "", "regular expression over ID and benchmark, \"P8\" or \"Stream\"")
	file := flags.String("json", "", "file for the JSON document; - is standard output, instead of the table")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil
		}
		return err
	}
	chosen, err := regexp.Compile(*only)
	switch {
	case flags.NArg() > 0:
		return fmt.Errorf("%q is no flag: -run %s chooses figures", flags.Arg(0), flags.Arg(0))
	case err != nil:
		return fmt.Errorf("-run: %w", err)
	case *rounds < 1:
		return fmt.Errorf("-rounds is %d: give 1 or more, 5 for a figure that counts", *rounds)
	}
	var wanted []figure
	for _, f := range figures() {
		if chosen.MatchString(f.ID + " " + f.Benchmark) {
			wanted = append(wanted, f)
		}
	}
	if len(wanted) == 0 {
		return fmt.Errorf("-run %q: no figure is called that; there are %s", *only, strings.Join(names(), ", "))
	}
	document := io.Discard
	switch *file {
	case "":
	case "-":
		document = out
	default: // opened before ten minutes have gone
		opened, err := os.Create(*file)
		if err != nil {
			return fmt.Errorf("-json: %w", err)
		}
		defer opened.Close()
		document = opened
	}
	report, err := measure(ctx, wanted, *rounds, progress)
	if err != nil {
		return err
	}
	encoder := json.NewEncoder(document)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(report); err != nil {
		return fmt.Errorf("-json: %w", err)
	}
	if document == out {
		return nil
	}
	return report.table(out)
}

func names() []string {
	var all []string
	for _, f := range figures() {
		all = append(all, f.ID+" "+f.Benchmark)
	}
	return all
}
