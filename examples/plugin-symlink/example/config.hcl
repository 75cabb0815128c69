# A host to try the plugin on; all that it keeps lies in this directory. From the directory above:
#
#   make
#   apm plugin lock --config-file example/config.hcl
#   apm serve --config-file example/config.hcl
#
# For a host of your own, copy the blocks "plugin" and "platform" into its config.hcl.

host {
  data_dir = "data"
}

server {
  listen = "localhost:8080"
}

plugin "symlink" {
  path = "../apm-plugin-symlink"

  # While you write it: no checksum is asked for, so that no lock is needed after each build.
  # dev = true
}

platform "symlink" {
  plugin = "symlink"
  root   = "www"
  keep   = 5

  monitor {
    interval = "5s"
    timeout  = "2m"
  }
}

deployment {
  default_platform    = "symlink"
  default_environment = "development"
  applications        = ["site.hcl"]
}
