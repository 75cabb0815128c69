// Command app is what the testbed deploys: a small server whose behaviour is
// named in its environment. As "app pause" it is the process that holds a pod's
// namespaces, as "app get URL" a client inside of a pod.
//
//	APP_MODE     good       answers; the default
//	             unhealthy  /healthz answers 500
//	             slow       listens only after APP_DELAY
//	             crash      writes some lines and ends with exit code 3
//	             oom        allocates until it is killed
//	             unready    /readyz answers 503 for ever
//	             turns      /healthz answers 500 after APP_DELAY
//	             done       writes a line and ends with exit code 0, as a job does
//	APP_VERSION  what / answers and the log names
//	APP_DELAY    a duration such as 60s
//	PORT         8080
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "app:", err)
		code := 1
		if errors.Is(err, errCrash) {
			code = 3
		}
		os.Exit(code)
	}
}

var errCrash = errors.New("configuration of the database is missing")

func run(args []string, out io.Writer) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	switch {
	case len(args) == 1 && args[0] == "pause":
		pause(ctx)
		return nil
	case len(args) == 2 && args[0] == "get":
		return get(ctx, args[1], out)
	case len(args) > 0:
		return fmt.Errorf("unknown arguments %q: pause, get URL, or none", args)
	}
	return serve(ctx, out)
}

// pause waits for its end and reaps the children that a shared process namespace
// leaves to it.
func pause(ctx context.Context) {
	children := make(chan os.Signal, 1)
	signal.Notify(children, syscall.SIGCHLD)
	for {
		select {
		case <-ctx.Done():
			return
		case <-children:
			for {
				if pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); pid <= 0 || err != nil {
					break
				}
			}
		}
	}
}

func get(ctx context.Context, url string, out io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if _, err := io.Copy(out, response.Body); err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", url, response.Status)
	}
	return nil
}

// A server is one mode with its moment of start.
type server struct {
	started time.Time
	mode    string
	version string
	delay   time.Duration
}

func serve(ctx context.Context, out io.Writer) error {
	s := server{mode: or("APP_MODE", "good"), version: or("APP_VERSION", "v0"), started: time.Now()}
	delay, err := time.ParseDuration(or("APP_DELAY", "0s"))
	if err != nil {
		return fmt.Errorf("APP_DELAY: %w", err)
	}
	s.delay = delay
	fmt.Fprintf(out, "app %s starts, mode %s\n", s.version, s.mode)
	switch s.mode {
	case "good", "unhealthy", "unready", "turns":
	case "slow":
		select {
		case <-time.After(s.delay):
		case <-ctx.Done():
			return nil
		}
	case "crash":
		fmt.Fprintf(out, "app %s reads its configuration\n", s.version)
		return errCrash
	case "oom":
		return s.allocate(ctx, out)
	case "done":
		fmt.Fprintf(out, "app %s is done\n", s.version)
		return nil
	default:
		return fmt.Errorf("APP_MODE %q is unknown", s.mode)
	}
	return s.listen(ctx, out)
}

func (s *server) listen(ctx context.Context, out io.Writer) error {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", net.JoinHostPort("", or("PORT", "8080")))
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "app %s listens on %s\n", s.version, listener.Addr())
	mux := http.NewServeMux()
	mux.HandleFunc("GET /", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, s.version) })
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		if s.mode == "unhealthy" || s.mode == "turns" && time.Since(s.started) >= s.delay {
			http.Error(w, "the database does not answer", http.StatusInternalServerError)
			return
		}
		fmt.Fprintln(w, "ok")
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if s.mode == "unready" {
			http.Error(w, "warming up", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ok")
	})
	web := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	done := make(chan error, 1)
	go func() { done <- web.Serve(listener) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	fmt.Fprintf(out, "app %s ends\n", s.version)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	return web.Shutdown(ctx)
}

// allocate touches memory until the kernel ends the process; where no limit does
// it stops at 1 GiB, so that nobody else is harmed.
func (s *server) allocate(ctx context.Context, out io.Writer) error {
	const step, most = 8 << 20, 1 << 30
	var held [][]byte
	for sum := 0; sum < most && ctx.Err() == nil; sum += step {
		block := make([]byte, step)
		for i := 0; i < len(block); i += 4096 {
			block[i] = 1
		}
		held = append(held, block)
		fmt.Fprintf(out, "app %s holds %d MiB\n", s.version, len(held)*step>>20)
		time.Sleep(5 * time.Millisecond)
	}
	return errors.New("no memory limit ended this process")
}

func or(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}
