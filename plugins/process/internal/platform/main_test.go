package platform_test

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/apm-deploy/apm/plugins/process/internal/procinfo"
	"github.com/apm-deploy/apm/plugins/process/internal/shim"
)

// TestMain makes the test binary the shim and the application too: shims and
// instances are real processes.
//
//nolint:forbidigo // what the test binary is started as ends with a code
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case procinfo.ShimCommand:
			os.Exit(shim.Main(os.Args[2:]))
		case "app":
			os.Exit(app(os.Args[2:]))
		}
	}
	flag.Parse()
	if at := flag.Lookup("test.parallel"); at != nil && at.Value.String() == at.DefValue {
		_ = flag.Set("test.parallel", "6") // they wait for processes more than they work
	}
	m.Run()
}

// app is an HTTP server whose faults are given as arguments.
//
//nolint:forbidigo // an application prints, sleeps and dies on purpose
func app(args []string) int {
	options := map[string]string{}
	for _, arg := range args {
		key, value, _ := strings.Cut(arg, "=")
		options[key] = value
	}
	fmt.Println("starting", options["version"], "as", os.Getenv("APM_INSTANCE"))
	fmt.Fprintln(os.Stderr, "warning on stderr")
	if file := options["starts"]; file != "" {
		appendTo(file, fmt.Sprintf("%d %s\n", os.Getpid(), options["version"]))
	}
	for n := range number(options["lines"]) {
		fmt.Println("line", n)
	}
	for file := options["hold"]; file != "" && exists(file); { // not up before it is gone
		time.Sleep(10 * time.Millisecond)
	}
	if code, ok := options["exit"]; ok {
		fmt.Println("exiting on purpose")
		return number(code)
	}
	if address := options["listen"]; address != "" {
		if err := http.ListenAndServe(address, nil); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	if after, ok := options["crash"]; ok {
		go func() {
			time.Sleep(time.Duration(number(after)) * time.Millisecond)
			os.Exit(7)
		}()
	}
	handler := http.NewServeMux()
	handler.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if file := options["posts"]; file != "" && r.Method == http.MethodPost {
			appendTo(file, string(body)+"\n")
		}
		time.Sleep(time.Duration(number(options["delay"])) * time.Millisecond)
		fmt.Fprint(w, options["version"])
	})
	handler.HandleFunc("/env", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, strings.Join(os.Environ(), "\n"))
	})
	handler.HandleFunc("/flood", func(_ http.ResponseWriter, r *http.Request) {
		wide := strings.Repeat("x", number(r.URL.Query().Get("wide")))
		for n := range number(r.URL.Query().Get("lines")) {
			fmt.Println("flood", n, wide)
		}
		fmt.Println("flood ends")
	})
	handler.HandleFunc("/exit", func(http.ResponseWriter, *http.Request) { os.Exit(9) })
	if os.Getenv("PORT") == "" {
		select {}
	}
	server := &http.Server{Addr: "127.0.0.1:" + os.Getenv("PORT"), Handler: handler}
	handler.HandleFunc("/deaf", func(http.ResponseWriter, *http.Request) { // it lives and does not listen any more
		go func() { _ = server.Close() }()
	})
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	select {}
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

func number(text string) int {
	n, _ := strconv.Atoi(text)
	return n
}

// appendTo writes in one call, so that lines of several processes stay whole.
func appendTo(name, line string) {
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		panic(err)
	}
	defer file.Close()
	if _, err := file.WriteString(line); err != nil {
		panic(err)
	}
}
