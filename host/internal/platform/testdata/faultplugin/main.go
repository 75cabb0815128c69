// Command faultplugin is a plugin that fails on demand. The file "mode" in its
// control directory says how, as "MODE" or for one version only as "VERSION MODE";
// to the files "starts" and "configured" there it adds a line each time.
package main

import (
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/apm-deploy/apm/sdk"
	"github.com/apm-deploy/apm/sdk/schema"
	"github.com/apm-deploy/apm/sdk/serve"
)

// version is set by the linker.
var version = "1.2.3"

type config struct {
	Greeting string `apm:"greeting,required" doc:"What to say."`
}

// control is "fault" beside the data directory's plugins for a private copy,
// else beside the binary.
func control() string {
	self, err := os.Executable()
	if err != nil {
		panic(err)
	}
	for _, dir := range []string{filepath.Dir(self), filepath.Join(filepath.Dir(self), "..", "..")} {
		if info, err := os.Stat(filepath.Join(dir, "fault")); err == nil && info.IsDir() {
			return filepath.Join(dir, "fault")
		}
	}
	return ""
}

func mode() string {
	content, err := os.ReadFile(filepath.Join(control(), "mode"))
	if err != nil {
		return ""
	}
	mode := strings.TrimSpace(string(content))
	if of, rest, one := strings.Cut(mode, " "); one {
		if of != version {
			return ""
		}
		return rest
	}
	return mode
}

func note(file, format string, args ...any) {
	if control() == "" {
		return
	}
	f, err := os.OpenFile(filepath.Join(control(), file), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		panic(err)
	}
	defer f.Close()
	if _, err := fmt.Fprintf(f, format+"\n", args...); err != nil {
		panic(err)
	}
}

// The kernel's promise to kill the plugin with its host is one to this thread.
func init() { runtime.LockOSThread() }

func main() {
	if pair := os.Getenv(envBare); pair != "" {
		serveBare(pair)
		return
	}
	if os.Getenv("APM_PLUGIN") != "" {
		note("starts", "%d", os.Getpid())
		note("environment", "%s", strings.Join(os.Environ(), "\x00"))
		switch mode() {
		case "crash":
			fmt.Fprintln(os.Stderr, "cannot find my feet")
			os.Exit(3)
		case "panic":
			panic("at the start")
		case "stdout":
			fmt.Println("Hello, I am the plugin")
		case "hang":
			fmt.Fprintln(os.Stderr, "thinking")
			note("hangs", "%d", os.Getpid())
			time.Sleep(time.Hour) // not select: the runtime would call it a deadlock
		}
	}
	name := "fault"
	if mode() == "other-name" {
		name = "impostor"
	}
	s, err := schema.Of(config{})
	if err != nil {
		panic(err)
	}
	plugin := sdk.Plugin{
		Name: name, Version: version, Config: s,
		New: func(log *slog.Logger) sdk.Platform { return &platform{log: log} },
	}
	if mode() == "become" {
		go func() { os.Exit(serve.Main(plugin)) }()
		becomeAnother()
	}
	code := serve.Main(plugin)
	if mode() == "stay" { // whoever asks it to go
		signal.Ignore(syscall.SIGTERM, syscall.SIGHUP)
		note("stays", "%d", os.Getpid())
		time.Sleep(time.Hour)
	}
	os.Exit(code)
}
