package demo

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
)

// counts are what the client has counted.
type counts struct {
	Requests int    `json:"requests"`
	Failures int    `json:"failures"`
	Posts    int    `json:"posts"`
	Failure  string `json:"failure"`
}

func (c counts) since(before counts) counts {
	return counts{Requests: c.Requests - before.Requests, Failures: c.Failures - before.Failures, Posts: c.Posts - before.Posts}
}

// traffic is the running client that never retries.
type traffic struct {
	command *exec.Cmd
	in      io.WriteCloser
	out     *bufio.Scanner
}

func startTraffic(executable string, dir *directory, address string, environ []string) (*traffic, error) {
	program, err := findPrograms(executable)
	if err != nil {
		return nil, err
	}
	command := exec.Command(program.client, "-address", address, "-ids", dir.path(sentPosts)) //nolint:noctx // ended by its stdin, so that requests under way are finished
	command.Env = environ
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	log, err := os.OpenFile(dir.path(clientLog), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the client's log: %w", err)
	}
	defer log.Close()
	command.Stderr = log
	in, err := command.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("start the client: %w", err)
	}
	out, err := command.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start the client: %w", err)
	}
	if err := command.Start(); err != nil {
		return nil, fmt.Errorf("start the client: %w", err)
	}
	return &traffic{command: command, in: in, out: bufio.NewScanner(out)}, nil
}

// count asks for the counts.
func (t *traffic) count() (counts, error) {
	if _, err := io.WriteString(t.in, "\n"); err != nil {
		return counts{}, fmt.Errorf("ask the client: %w", err)
	}
	return t.read()
}

func (t *traffic) read() (counts, error) {
	if !t.out.Scan() {
		return counts{}, fmt.Errorf("ask the client: %w", errors.Join(t.out.Err(), io.ErrUnexpectedEOF))
	}
	var c counts
	if err := json.Unmarshal(t.out.Bytes(), &c); err != nil {
		return counts{}, fmt.Errorf("read the client's answer: %w", err)
	}
	return c, nil
}

// stop ends the client after its requests under way.
func (t *traffic) stop() error {
	_ = t.in.Close() // its end is what is waited for
	_, err := t.read()
	return errors.Join(err, t.command.Wait())
}

// finish stops the client and compares what it sent with what arrived.
func (t *traffic) finish(dir *directory) (Posts, error) {
	if err := t.stop(); err != nil {
		return Posts{}, err
	}
	sent, err := readLines(dir.path(sentPosts))
	if err != nil {
		return Posts{}, err
	}
	arrived, err := readLines(dir.path(arrivedPosts))
	if err != nil {
		return Posts{}, err
	}
	return compare(sent, arrived), nil
}

// compare counts how often each id that was sent has arrived.
func compare(sent, arrived []string) Posts {
	times := map[string]int{}
	for _, id := range arrived {
		times[id]++
	}
	posts := Posts{Sent: len(sent)}
	for _, id := range sent {
		switch n := times[id]; {
		case n == 0:
			posts.Lost++
		case n > 1:
			posts.Repeated++
		}
	}
	return posts
}

func readLines(path string) ([]string, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the record of POSTs: %w", err)
	}
	return strings.Fields(string(data)), nil
}
