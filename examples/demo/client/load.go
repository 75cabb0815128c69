package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"time"
)

const (
	// patience is how long a full answer may take, the connection included.
	patience = 2 * time.Second
	// pause between two requests of one worker.
	pause = 10 * time.Millisecond
)

// counts are what has happened so far.
type counts struct {
	Requests int    `json:"requests"`
	Failures int    `json:"failures"`
	Posts    int    `json:"posts"`
	Failure  string `json:"failure,omitempty"` // the last
}

// load is a running set of workers.
type load struct {
	address string
	prefix  string
	workers sync.WaitGroup

	mu     sync.Mutex
	now    counts
	record io.Writer
}

// begin starts the workers: GET and POST, on kept and on fresh connections.
// They end with ctx; wait waits for them.
func begin(ctx context.Context, address string, record io.Writer) *load {
	l := &load{address: address, record: record, prefix: fmt.Sprintf("%d-%d", os.Getpid(), time.Now().UnixNano())}
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		for _, kept := range []bool{true, false} {
			w := &worker{load: l, method: method, kept: kept}
			l.workers.Go(func() { w.run(ctx) })
		}
	}
	return l
}

func (l *load) wait() { l.workers.Wait() }

func (l *load) counts() counts {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.now
}

// nextID returns a new id, which is on record before it is sent.
func (l *load) nextID() (string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.now.Posts++
	id := fmt.Sprintf("%s-%d", l.prefix, l.now.Posts)
	_, err := io.WriteString(l.record, id+"\n")
	return id, err
}

func (l *load) done(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.now.Requests++
	if err != nil {
		l.now.Failures++
		l.now.Failure = err.Error()
	}
}

// worker sends one kind of request, one after the other.
type worker struct {
	load   *load
	method string
	kept   bool

	conn   net.Conn // nil: none is open
	reader *bufio.Reader
}

func (w *worker) run(ctx context.Context) {
	defer w.hangUp()
	ticker := time.NewTicker(pause)
	defer ticker.Stop()
	for {
		// A request that is under way is finished: it is not the application's
		// fault that the client goes.
		err := w.request()
		if err != nil {
			w.hangUp()
			err = fmt.Errorf("%s %s: %w", w.method, map[bool]string{true: "on a kept connection", false: "on a fresh connection"}[w.kept], err)
		}
		w.load.done(err)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

func (w *worker) hangUp() {
	if w.conn != nil {
		_ = w.conn.Close()
		w.conn = nil
	}
}

// request sends one request and reads the whole answer, once.
func (w *worker) request() error {
	deadline := time.Now().Add(patience)
	if w.conn == nil {
		dialer := net.Dialer{Deadline: deadline}
		conn, err := dialer.DialContext(context.Background(), "tcp", w.load.address)
		if err != nil {
			return err
		}
		w.conn, w.reader = conn, bufio.NewReader(conn)
	}
	if err := w.conn.SetDeadline(deadline); err != nil {
		return err
	}
	text, body, err := w.text()
	if err != nil {
		return err
	}
	if _, err := w.conn.Write(text); err != nil {
		return err
	}
	answer, err := http.ReadResponse(w.reader, &http.Request{Method: w.method})
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	got, err := io.ReadAll(answer.Body)
	switch {
	case err != nil:
		return err
	case answer.StatusCode >= http.StatusInternalServerError:
		return errors.New(answer.Status)
	case body != nil && !bytes.Equal(got, body):
		return fmt.Errorf("the answer is not the echo of the request: %q", got)
	}
	if !w.kept || answer.Close {
		w.hangUp()
	}
	return nil
}

// text returns a request as it goes over the wire, and its body.
func (w *worker) text() (text, body []byte, err error) {
	connection := "close"
	if w.kept {
		connection = "keep-alive"
	}
	if w.method == http.MethodGet {
		return fmt.Appendf(nil, "GET / HTTP/1.1\r\nHost: %s\r\nConnection: %s\r\n\r\n", w.load.address, connection), nil, nil
	}
	id, err := w.load.nextID()
	if err != nil {
		return nil, nil, err
	}
	body = []byte("echo " + id)
	text = fmt.Appendf(nil, "POST /echo HTTP/1.1\r\nHost: %s\r\nConnection: %s\r\nX-Request-Id: %s\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s",
		w.load.address, connection, id, len(body), body)
	return text, body, nil
}
