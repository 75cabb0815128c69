module github.com/apm-deploy/apm/examples

go 1.26.0
