# The shape of config.hcl, with all keys of this version.

host {
  data_dir = "~/.local/share/apm"
}

server {
  listen          = "localhost:8080"
  allowed_hosts   = ["localhost", "127.0.0.1", "[::1]"]
  allowed_origins = ["http://localhost:8080"]
  anonymous       = "viewer"
  websocket {
    ping   = "5s"
    idle   = "20s"
    buffer = 64
  }
}

plugin "process" { path = "bin/plugins/apm-plugin-process" }
plugin "kubernetes" {
  path        = "bin/plugins/apm-plugin-kubernetes"
  sha256      = "9F86D081884C7D659A2FEAA0C55AD015A3BF4F1B2B0B822CD15D6C15B0F00A08"
  environment = ["KUBECONFIG", "HTTPS_PROXY"]
  dev         = true
  log_level   = "debug"

  memory_limit = "512MiB"
  open_files   = 1024
}

deployment {
  default_platform    = "process"
  default_environment = "development"
  applications        = ["applications/*.hcl"]

  process {}

  kubernetes {
    kubeconfig = "~/.kube/config"
    namespace  = "default"
    monitor {
      interval = "5s"
      timeout  = "20m"
    }
  }

  history {
    keep {
      count = 20
      age   = "30d12h"
    }
  }

  cache {}
}

platform "prod-eu" {
  plugin     = "kubernetes"
  kubeconfig = "prod-eu.kubeconfig"
  namespace  = "shop"
}
