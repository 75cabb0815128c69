// Command client sends requests to the application of `apm demo` all the time
// and never retries any: what fails is counted.
//
// It speaks HTTP/1.1 over plain connections of its own, because Go's Transport
// repeats a GET by itself when a kept connection turns out to be closed. GET
// and POST are sent over connections that are kept and over fresh ones. A
// request has failed when the connection is refused or reset, when there is no
// full answer within 2 s, or when its status is 500 or above.
//
// Each line on stdin is answered with one line of JSON: the counts so far. At
// the end of stdin the requests under way are finished, the last counts are
// written, and the program ends.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
)

func main() {
	address := flag.String("address", "", "`HOST:PORT` of the application")
	ids := flag.String("ids", "", "`file` to which the id of every POST is appended before it is sent")
	flag.Parse()
	if err := run(*address, *ids, os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "client:", err)
		os.Exit(1)
	}
}

func run(address, ids string, in io.Reader, out io.Writer) error {
	if address == "" {
		return fmt.Errorf("-address is missing: it names the application, HOST:PORT")
	}
	// Ctrl-C in the terminal is for the demo, which ends this program by its stdin.
	signal.Ignore(os.Interrupt)

	record := io.Discard
	if ids != "" {
		file, err := os.OpenFile(ids, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		defer file.Close()
		record = file
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	load := begin(ctx, address, record)
	answers := json.NewEncoder(out)
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		if err := answers.Encode(load.counts()); err != nil {
			break
		}
	}
	cancel()
	load.wait()
	return answers.Encode(load.counts())
}
