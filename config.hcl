# The configuration of the host, active as it stands. Relative paths begin in this file's own directory.
# `apm config validate` checks it; a key that is not known here is refused, never ignored.
# Values may use env("NAME"), a variable of the host's environment, and file("path").

host {
  # Database, sealing key, private copies of the plugins, and the first token. One host uses it at a time.
  data_dir = "~/.local/share/apm"
}

server {
  # Where REST, WebSocket and metrics are served, as host:port. "localhost" means every loopback address, IPv4 and IPv6.
  listen = "localhost:8080"

  # Host headers that are answered, without port; others are refused, so that no foreign web page reaches the host
  # under a name of its own.
  allowed_hosts = ["localhost", "127.0.0.1", "[::1]"]

  # Origin headers of browsers that are answered, exactly as they are sent. A client that sends none is no browser.
  allowed_origins = ["http://localhost:8080"]

  # What a caller without token may do: "viewer" reads all but log lines and evidence. Possible on loopback only;
  # without this key every call needs a token.
  anonymous = "viewer"

  websocket {
    ping   = "15s" # how often a client is asked whether it is still there
    idle   = "60s" # without any sign of the client for so long, the connection is cut; longer than ping
    buffer = 256   # messages that wait for a slow client before it is cut and told its last seq
  }

  # tls { certificate = "…" key = "…" }     in a later version: HTTPS and WSS
}

# A plugin is a binary that drives one kind of platform. Nothing runs that is not named here.
plugin "process" {
  path = "bin/plugins/apm-plugin-process"

  # Its SHA-256, 64 hexadecimal digits. Without this key apm.lock.hcl beside this file pins it; `apm plugin lock`
  # writes that file, and `make build` calls it.
  # sha256 = "…"

  # Variables of the host's environment that it may inherit, by name. It gets PATH, HOME and TMPDIR anyway.
  environment = []

  dev       = false  # true: run it without a pinned checksum, while you write it
  log_level = "info" # trace, debug, info, warn or error
}

deployment {
  default_platform    = "process"     # for components that name none
  default_environment = "development" # for requests and applications that name none

  # Application files. They are read afresh for each deployment.
  applications = ["applications/*.hcl"]

  # A block named like a plugin is the platform of that name. All keys but `monitor` are the plugin's own:
  # `apm plugin inspect process` lists them.
  process {
    monitor {
      interval = "10s" # between two looks at what runs
      timeout  = "30m" # of one operation with its checks
    }
  }

  history {
    # What is kept of a target's ended deployments; the current one and what it needs for a rollback always stay.
    keep {
      count = 50    # deployments of a target
      age   = "90d" # older ones go
    }

    # database { url = "postgres://…" }     in a later version; SQLite in data_dir until then
  }

  cache {
    # redis { url = "redis://…" }           in a later version; in the process until then
  }
}

# Another platform of the same plugin has a name of its own, and its own process, settings and health:
#
# platform "batch" {
#   plugin = "process"
#   monitor { interval = "30s" }
# }
#
# Platforms of later versions: kubernetes, docker, aws, gcp, azure. Parts of later versions: oidc, approvals, freeze,
# webhooks.
