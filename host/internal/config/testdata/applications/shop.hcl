# One application, three components, two environments.

application "shop" {
  default_environment = "staging"

  policy {
    on_failure = "rollback"
    concurrent = "queue"
    bake       = "60s"
    timeouts {
      preparing    = "2m"
      deploying    = "20m"
      verifying    = "5m"
      rolling_back = "10m"
    }
  }

  component "db" {
    platform = "prod-eu"
    spec { manifests = ["k8s/db.yaml"] }
    check "tcp" "ping" {
      address  = "127.0.0.1:5432"
      interval = "5s"
      timeout  = "2s"
      passes   = 2
      failures = 3
    }
  }

  component "api" {
    platform   = "prod-eu"
    depends_on = ["db"]
    spec {
      deployment_name = "shop-api"
      service_name    = "shop-api"
      image           = { api = "registry.example/shop-api:${version}" }
    }
    check "http" "healthz" {
      url     = "http://${address}/healthz"
      status  = [200]
      latency = "500ms"
    }
  }

  component "web" {
    platform   = "process"
    depends_on = ["api"]
    spec {
      artifact = "artifacts/web-${version}.tar.gz"
      command  = ["./web"]
      replicas = 2
      port "http" {
        listen   = "127.0.0.1:8088"
        protocol = "http"
      }
    }
    promote {
      steps = [10, 50, 100]
      pause = "30s"
    }
    check "http" "home" { url = "http://${address}/" }
  }

  environment "production" {
    policy {
      bake = "10m"
    }
    component "web" {
      spec { replicas = 6 }
    }
  }
}
