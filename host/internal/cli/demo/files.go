package demo

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/apm-deploy/apm/host/internal/deployment"
)

// What the demo deploys, and where.
const (
	application     = "demo"
	environment     = "demo"
	hostPort        = 8080
	applicationPort = 8088
)

// programs are the binaries that lie beside this one.
type programs struct{ plugin, server, client string }

func findPrograms(executable string) (programs, error) {
	dir := filepath.Dir(executable)
	p := programs{
		plugin: filepath.Join(dir, "plugins", "apm-plugin-process"),
		server: filepath.Join(dir, "demo", "server"),
		client: filepath.Join(dir, "demo", "client"),
	}
	for _, path := range []string{p.plugin, p.server, p.client} {
		if info, err := os.Stat(path); err != nil || info.IsDir() {
			return p, &deployment.Error{
				Code: deployment.NotFound, Message: fmt.Sprintf("the demo needs %s, which is not there", path),
				Remedy: "make build makes it",
			}
		}
	}
	return p, nil
}

// write writes the host's configuration, the application's file, and a
// directory for each version.
func (d *directory) write(p programs, listen, app string) error {
	sum, err := checksum(p.plugin)
	if err != nil {
		return err
	}
	_, port, _ := strings.Cut(listen, ":")
	config := expand(configText, map[string]string{
		"data_dir": d.root, "listen": listen, "origin": "http://localhost:" + port,
		"plugin": p.plugin, "sha256": sum, "application": d.path(appFile),
	})
	file := expand(applicationText, map[string]string{
		"artifacts": d.path(artifacts), "listen": app, "starts": d.path(starts), "posts": d.path(arrivedPosts),
	})
	err = errors.Join(
		os.WriteFile(d.path(configFile), []byte(config), 0o600),
		os.WriteFile(d.path(appFile), []byte(file), 0o600),
	)
	for _, act := range acts {
		dir := filepath.Join(d.path(artifacts), act.version)
		err = errors.Join(err, os.MkdirAll(dir, 0o700), copyFile(p.server, filepath.Join(dir, "server")))
	}
	if err != nil {
		return fmt.Errorf("write the demo's files: %w", err)
	}
	return nil
}

// expand puts quoted values in the place of <name>.
func expand(text string, values map[string]string) string {
	for name, value := range values {
		quoted := strconv.Quote(strings.NewReplacer("${", "$${", "%{", "%%{").Replace(value))
		text = strings.ReplaceAll(text, "<"+name+">", quoted[1:len(quoted)-1])
	}
	return text
}

const configText = `# Written by "apm demo"; gone with it.
host { data_dir = "<data_dir>" }

server {
  listen          = "<listen>"
  allowed_origins = ["<origin>"]
  anonymous       = "viewer"
}

plugin "process" {
  path   = "<plugin>"
  sha256 = "<sha256>"
}

deployment {
  default_platform    = "process"
  default_environment = "demo"
  applications        = ["<application>"]
  process {
    monitor {
      interval = "1s"
      timeout  = "2m"
    }
  }
}
`

const applicationText = `# Written by "apm demo"; gone with it.
application "demo" {
  default_environment = "demo"

  policy {
    on_failure = "rollback"
    bake       = "10s"
  }

  component "web" {
    platform = "process"
    spec {
      artifact = "<artifacts>/${version}"
      command  = ["./server"]
      env = {
        DEMO_VERSION   = "${version}"
        DEMO_UNHEALTHY = "v3=5s" # its health check turns bad by its own clock
        DEMO_STARTS    = "<starts>"
        DEMO_POSTS     = "<posts>"
      }
      port "http" {
        listen   = "<listen>"
        protocol = "http"
      }
    }
    check "http" "healthz" {
      url      = "http://${address}/healthz"
      interval = "500ms"
      timeout  = "1s"
      passes   = 3
      failures = 3
    }
  }
}
`

func checksum(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("read the plugin: %w", err)
	}
	defer file.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, file); err != nil {
		return "", fmt.Errorf("read the plugin: %w", err)
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}

func copyFile(from, to string) error {
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	defer source.Close()
	target, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o700)
	if err != nil {
		return err
	}
	_, err = io.Copy(target, source)
	return errors.Join(err, target.Close())
}
