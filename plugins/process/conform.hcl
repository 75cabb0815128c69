# What the conformance suite deploys: `apm plugin test bin/plugins/apm-plugin-process`. `make build` puts this file
# beside the binary; relative paths begin there, and lead to the application that it has built too.

config {
  state_dir = "${tmp}/state"
  keep      = 3
}

spec "v1" {
  artifact = "${tmp}/v1"
  command  = ["./server"]
  env      = { GREETING = "canary-5d1f0c" }
  drain    = "1s"
  port "http" { listen = "127.0.0.1:${free_port("http")}" }
}

spec "v2" {
  artifact = "${tmp}/v2"
  command  = ["./server"]
  env      = { GREETING = "canary-5d1f0c" }
  drain    = "1s"
  port "http" { listen = "127.0.0.1:${free_port("http")}" }
}

# Validate must object to it.
spec "bad" {
  command  = ["./server"]
  replicas = 1000
}

# Writes 10,000 lines and more, the last of which is no UTF-8, and comes up once they have been read: an operation that
# has ended tells no lines any more.
spec "chatty" {
  artifact = "${tmp}/v1"
  command  = ["/bin/sh", "-c", "i=0; while [ $i -lt 12000 ]; do echo line $i; i=$((i+1)); done; printf 'no UTF-8 \\377\\n'; sleep 2; exec ./server"]
  drain    = "1s"
  port "http" { listen = "127.0.0.1:${free_port("http")}" }
}

# Ends before it is ready, as often as it is started.
spec "failing" {
  artifact = "${tmp}/v1"
  command  = ["/bin/false"]
  port "http" { listen = "127.0.0.1:${free_port("http")}" }
}

# What stands in env, and nobody may see.
secrets = ["canary-5d1f0c"]

# Copies, which may be changed. The shims of what was deployed end by themselves a moment after it was removed.
prepare {
  command = ["/bin/sh", "-c", "cp -R ../my-app/v1.9.0 '${tmp}/v1' && cp -R ../my-app/v2.0.0 '${tmp}/v2' && echo 1 >'${tmp}/v1/one'"]
  undo = ["/bin/sh", "-c", <<-SH
    for pid in $(sed -n 's/.*"shim":{"pid":\([0-9]*\).*/\1/p' '${tmp}'/state/*/conformance-*/*/*/state.json); do
      while kill -0 "$pid"; do sleep 0.1; done
    done 2>/dev/null
  SH
  ]
}

# Version 1 becomes another program after it was resolved.
change_files {
  command = ["/bin/sh", "-c", "mv '${tmp}/v1' '${tmp}/kept' && cp -R '${tmp}/v2' '${tmp}/v1'"]
  undo    = ["/bin/sh", "-c", "rm -rf '${tmp}/v1' && mv '${tmp}/kept' '${tmp}/v1'"]
}

# Somebody edits a file of version 1, which is what runs then.
change_live {
  command = ["/bin/sh", "-c", "for file in '${tmp}'/state/*/artifacts/*/files/one; do echo changed >>\"$file\"; done"]
}

# The files of version 1 are not kept any more; version 2 runs then.
prune {
  command = ["/bin/sh", "-c", "for file in '${tmp}'/state/*/artifacts/*/files/one; do rm -r \"$${file%/files/one}\"; done"]
}

# Which version gets the traffic: a body that all instances of it give.
serves {
  port = "http"
  path = "/healthz"
}
