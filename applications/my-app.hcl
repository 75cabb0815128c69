# An application to start from: a small HTTP server as plain processes. `make build` builds two versions of it, so that
#
#   bin/apm deploy start --name my-app --version v2.0.0 --platform process --environment production
#
# works in a fresh clone. ${version}, ${environment}, ${application} and ${component} stand for what is deployed.

application "my-app" {
  default_environment = "development"

  policy {
    on_failure = "rollback" # or "leave": stop, and leave all as it is
    concurrent = "queue"    # a second deployment waits; or "refuse", or "supersede" those that wait
    bake       = "10s"      # the checks must keep passing for so long before the deployment is completed
  }

  component "my-app" {
    platform = "process"

    spec {
      # Relative to this file: the directory bin/my-app/v2.0.0 holds all that the version needs.
      artifact = "../bin/my-app/${version}"
      command  = ["./server"]
      replicas = 2
      env      = { GREETING = "hello from ${environment}" }

      # The application answers here. Each instance is told its own port in $PORT.
      port "http" {
        listen   = "127.0.0.1:8081"
        protocol = "http"
      }
    }

    check "http" "healthz" {
      url      = "http://${address}/healthz"
      interval = "1s"
      timeout  = "1s"
      passes   = 3 # in a row to be healthy
      failures = 3 # in a row to be unhealthy
    }
  }

  # What is different in an environment: attributes replace, blocks of the same name are merged.
  environment "staging" {
    component "my-app" {
      spec {
        port "http" { listen = "127.0.0.1:8083" }
      }
    }
  }

  environment "production" {
    component "my-app" {
      spec {
        port "http" { listen = "127.0.0.1:8082" }
      }
      # One half of the traffic first, then all of it.
      promote {
        steps = [50, 100]
        pause = "3s"
      }
    }
  }
}
