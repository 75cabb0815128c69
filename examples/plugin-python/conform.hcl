# What the conformance suite deploys: `make conform`. Relative paths begin in this file's own directory, ${tmp} is one of
# the suite's own, which it removes.

config {
  root = "${tmp}/www"
}

spec "v1" {
  source = "${tmp}/v1"
  env    = { TOKEN = "canary-7c1e90" }
}

spec "v2" {
  source = "${tmp}/v2"
  env    = { TOKEN = "canary-7c1e90" }
}

# Validate must object to it.
spec "bad" {
  source = "${tmp}/v1"
  env    = { "NO NAME" = "x" }
}

# A line in the log for each of its links, which cost less than files; the name of the last is no UTF-8.
spec "chatty" {
  source = "${tmp}/many"
}

# What stands in env, and nobody may see.
secrets = ["canary-7c1e90"]

# Copies, which may be changed.
prepare {
  command = ["/bin/sh", "-c", "cp -R testdata/v1 testdata/v2 '${tmp}' && mkdir '${tmp}/many' && cd '${tmp}/many' && seq -f index/%g 10000 | xargs sh -c 'ln -s \"$@\" .' - && ln -s index \"$(printf 'zz no UTF-8 \\377')\""]
}

# The files of version 1 change after it was resolved.
change_files {
  command = ["/bin/sh", "-c", "cp '${tmp}/v2/index.html' '${tmp}/v1/index.html'"]
  undo    = ["/bin/sh", "-c", "cp testdata/v1/index.html '${tmp}/v1/index.html'"]
}

# Somebody edits what runs.
change_live {
  command = ["/bin/sh", "-c", "for file in '${tmp}'/www/*/*/*/current/index.html; do echo changed >>\"$file\"; done"]
}

# The files of what is not current are not kept any more.
prune {
  command = ["/bin/sh", "-c", "rm -r '${tmp}'/www/*/*/*/.apm/frozen"]
}
