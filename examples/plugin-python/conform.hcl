# What the conformance suite deploys: `make conform`. Relative paths begin in this file's own directory.

config {
  root = "conform"
}

spec "v1" {
  source = "testdata/v1"
  env    = { TOKEN = "one" }
}

spec "v2" {
  source = "testdata/v2"
  env    = { TOKEN = "two" }
}

# Validate must object to it.
spec "bad" {
  source = "testdata/v1"
  env    = { "NO NAME" = "x" }
}
