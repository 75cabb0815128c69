# An application for the host of config.hcl, in two versions: v1 and v2.
#
#   apm deploy start --config-file example/config.hcl --name site --version v1 --watch

application "site" {
  policy {
    bake = "2s"
  }

  component "pages" {
    platform = "symlink"

    spec {
      source = "../testdata/${version}"
      env    = { API = "https://api.example.com" }
    }
  }
}
