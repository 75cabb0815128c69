# What the conformance suite deploys on the fake platform: `apm plugin test bin/test/apm-plugin-fake`. `make build` puts
# this file beside the binary.

config {
  root   = "${tmp}/root"
  secret = "canary-platform"
}

spec "v1" {
  file   = "${tmp}/v1"
  secret = "canary-one"
}

spec "v2" {
  file   = "${tmp}/v2"
  secret = "canary-two"
}

# Validate must object to it.
spec "bad" {
  file  = "${tmp}/v1"
  lines = -1
}

# Writes 10,000 lines, the last of which is no UTF-8, and then comes up.
spec "chatty" {
  file  = "${tmp}/v1"
  lines = 10000
}

# Fails by itself.
spec "failing" {
  file  = "${tmp}/v1"
  fails = "EXITED"
}

secrets = ["canary-platform", "canary-one", "canary-two"]

prepare {
  command = ["/bin/sh", "-c", "mkdir '${tmp}/root' && printf one >'${tmp}/v1' && printf two >'${tmp}/v2'"]
}

change_files {
  command = ["/bin/sh", "-c", "printf 'one, changed' >'${tmp}/v1'"]
  undo    = ["/bin/sh", "-c", "printf one >'${tmp}/v1'"]
}

change_live {
  command = ["${dir}/apm-plugin-fake", "change", "${tmp}/root"]
}

prune {
  command = ["${dir}/apm-plugin-fake", "prune", "${tmp}/root"]
}

serves {
  command = ["/bin/sh", "-c", "exec '${dir}/apm-plugin-fake' serves \"$APM_ADDRESS_FILE\""]
}
