# Needs Go, git and make; everything else comes as a Go module at the exact version below.
# `make` alone lists the targets.

# ---- versions of the tools ----
BUF_VERSION                := v1.75.0
PROTOC_GEN_GO_VERSION      := v1.36.12
PROTOC_GEN_GO_GRPC_VERSION := v1.6.2
GOLANGCI_LINT_VERSION      := v2.15.0

# ---- what there is ----
# Go itself: the version that go.work asks for.
GO_NEEDED := $(shell sed -n 's/^go //p' go.work)

# The modules, as go.work lists them.
MODULES := $(shell sed -n 's/^[[:space:]]*\.\/\([^[:space:]]*\).*/\1/p' go.work)

# Packages of all modules, and of all but the end-to-end tests.
PACKAGES      := $(MODULES:%=./%/...)
UNIT_PACKAGES := $(filter-out ./test/...,$(PACKAGES))

# Modules outside of the workspace, as a stranger's is: the tests of plugins that are no part of the product.
OUTSIDE := examples/plugin-symlink examples/plugin-python/conformance

# The plugin in Python, and whether this machine can build it: Python 3.11 or newer with venv.
PYTHON       ?= python3
PYTHON_DIR   := examples/plugin-python
PYTHON_THERE  = $(PYTHON) -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null

# What `make generate` writes.
GENERATED := api/plugin/v1 host/internal/scaffold/template.txtar

# ---- how it is built ----
# No C compiler, no paths of the machine, no state of the checkout: the same source gives the same checksum.
BUILD_FLAGS := -trimpath -buildvcs=false
LDFLAGS     := -s -w
GO_BUILD    := CGO_ENABLED=0 go build $(BUILD_FLAGS)

# ---- how it is tested ----
# Where CI has a C compiler the race detector comes with every test; elsewhere none is needed.
TEST_CGO := 0
ifeq ($(CI),true)
ifneq ($(shell command -v gcc || command -v clang),)
TEST_CGO := 1
RACE     := -race
endif
endif
# For example: make test TESTFLAGS='-run TestStatus -v'
TESTFLAGS ?=
GO_TEST   := CGO_ENABLED=$(TEST_CGO) go test $(RACE) -timeout 30m

TESTBED   := go run ./test/testbed/cmd/testbed

TOOLS := $(CURDIR)/bin/tools
# A file per tool and version: another version above builds the tool again.
tool = $(TOOLS)/.$(1)
BUF           := $(call tool,buf-$(BUF_VERSION))
PROTOC_GEN    := $(call tool,protoc-gen-go-$(PROTOC_GEN_GO_VERSION)) \
                 $(call tool,protoc-gen-go-grpc-$(PROTOC_GEN_GO_GRPC_VERSION))
GOLANGCI_LINT := $(call tool,golangci-lint-$(GOLANGCI_LINT_VERSION))

.DEFAULT_GOAL := help

##@ Use

.PHONY: build
build: check-go first-build-takes-long ## Build apm, the plugins and the example applications into bin/, and lock the plugins
	$(GO_BUILD) -ldflags '$(LDFLAGS)' -o bin/apm ./host/cmd/apm
	$(GO_BUILD) -ldflags '$(LDFLAGS)' -o bin/plugins/apm-plugin-process ./plugins/process
	cp plugins/process/conform.hcl bin/plugins/conform.hcl
	$(GO_BUILD) -ldflags '$(LDFLAGS)' -o bin/test/apm-plugin-fake ./sdk/cmd/apm-plugin-fake
	cp sdk/cmd/apm-plugin-fake/conform.hcl bin/test/apm-plugin-fake.conform.hcl
	cd examples/plugin-symlink && GOWORK=off $(GO_BUILD) -ldflags '$(LDFLAGS)' -o ../../bin/test/apm-plugin-symlink .
	@if [ -d examples/my-app ]; then set -e; for v in v1.9.0 v2.0.0; do set -x; \
		$(GO_BUILD) -ldflags "$(LDFLAGS) -X main.version=$$v" -o bin/my-app/$$v/server ./examples/my-app; \
		{ set +x; } 2>/dev/null; done; fi
	@if [ -d examples/demo ]; then set -ex; mkdir -p bin/demo; \
		$(GO_BUILD) -ldflags '$(LDFLAGS)' -o bin/demo/ ./examples/demo/...; fi
	bin/apm plugin lock

# Where it cannot be built its tests are left out, but never in CI. Nothing older than the source is tested in its place.
.PHONY: python
python: ## Build the example plugin in Python, where there is Python 3.11 or newer with venv
	@left_out() { rm -f $(PYTHON_DIR)/bin/apm-plugin-*; echo "$$1: the tests of $(PYTHON_DIR) are left out" >&2; \
		[ '$(CI)' != true ]; }; \
	if ! $(PYTHON_THERE); then \
		left_out 'No Python 3.11 or newer with venv (Debian: apt-get install python3-venv)'; \
	elif ! $(MAKE) --no-print-directory -C $(PYTHON_DIR) build PYTHON='$(PYTHON)'; then \
		left_out 'The plugin in Python was not built'; \
	fi

.PHONY: demo
demo: build ## Build, then show a deployment that fails and comes back by itself
	bin/apm demo

##@ Test

# The tests of test/ run the built binaries, which Go's cache of results does not see change: always anew.
# Those that need Kubernetes share one node: prepare builds it where that was never done, settle ends it.
.PHONY: test
test: build python ## Run every test of every module (TESTFLAGS='-run NAME -v' narrows)
	@$(TESTBED) prepare
	@rc=0; set -x; \
	$(GO_TEST) $(TESTFLAGS) $(UNIT_PACKAGES) || rc=1; \
	$(GO_TEST) -count=1 $(TESTFLAGS) ./test/... || rc=1; \
	for m in $(OUTSIDE); do (cd $$m && GOWORK=off $(GO_TEST) -count=1 $(TESTFLAGS) ./...) || rc=1; done; \
	{ set +x; } 2>/dev/null; $(TESTBED) settle || rc=1; \
	exit $$rc

.PHONY: test-unit
test-unit: check-go ## Run the tests beside the code, not those of test/
	$(GO_TEST) $(TESTFLAGS) $(UNIT_PACKAGES)

.PHONY: crash
crash: build ## Kill host, plugin and both (SIGKILL) at every step of deploy and rollback, three times over
	cd test && $(GO_TEST) -run Crash -count=3 $(TESTFLAGS) ./...

# Each figure against a baseline in the same run, in turns; a missed one is said and fails nothing.
.PHONY: bench
bench: build ## Measure speed and memory as ratios (BENCHFLAGS='-run P8 -rounds 3 -json FILE' narrows)
	go run ./test/bench $(BENCHFLAGS)

.PHONY: chaos
chaos: build python ## Kill plugins twice as often as `make test` does, and hosts, while they deploy
	cd test && APM_CHAOS=1 $(GO_TEST) -run Kill -count=1 $(TESTFLAGS) -v ./plugin

# A real cluster of one node for people and for tests; docs/testbed.md. It needs Linux and root.
.PHONY: cluster-up
cluster-up: check-go ## Start Kubernetes on this machine and say how to reach it (the first time builds it: 10 minutes)
	@$(TESTBED) up

.PHONY: cluster-down
cluster-down: check-go ## End it and remove all of it
	@$(TESTBED) down

.PHONY: cluster-status
cluster-status: check-go ## Say what of it runs
	@$(TESTBED) status

##@ Develop

.PHONY: lint
lint: lint-code lint-modules lint-outside lint-python lint-generated ## Check code, import boundaries, modules and generated code

# Every module is looked at, also after the first finding.
.PHONY: lint-code
lint-code: check-go $(GOLANGCI_LINT)
	@bad=; for m in $(MODULES); do \
		[ -n "$$(go list ./$$m/... 2>/dev/null)" ] || { echo "lint $$m: no package yet"; continue; }; \
		echo "lint $$m"; \
		(cd $$m && go vet ./... && $(TOOLS)/golangci-lint run ./...) || bad="$$bad $$m"; \
	done; [ -z "$$bad" ] || { echo "lint: findings in$$bad" >&2; exit 1; }

# Each module builds, tests included, with what its own go.mod says, as it will for those who download it.
.PHONY: lint-modules
lint-modules: check-go
	@bad=; for m in $(MODULES); do \
		[ -n "$$(go list ./$$m/... 2>/dev/null)" ] || { echo "GOWORK=off $$m: no package yet"; continue; }; \
		echo "GOWORK=off $$m"; \
		(cd $$m && export GOWORK=off && go mod tidy -diff && go build ./... && go vet ./...) || bad="$$bad $$m"; \
	done; [ -z "$$bad" ] || { echo "modules that do not stand alone:$$bad" >&2; exit 1; }

.PHONY: lint-outside
lint-outside: check-go $(GOLANGCI_LINT)
	@bad=; for m in $(OUTSIDE); do \
		echo "lint $$m"; \
		(cd $$m && export GOWORK=off && go mod tidy -diff && go vet ./... && $(TOOLS)/golangci-lint run ./...) \
			|| bad="$$bad $$m"; \
	done; [ -z "$$bad" ] || { echo "lint: findings in$$bad" >&2; exit 1; }

# The linter comes with the libraries that build the plugin.
.PHONY: lint-python
lint-python: python
	@[ ! -e $(PYTHON_DIR)/bin/venv/.built ] || $(MAKE) --no-print-directory -C $(PYTHON_DIR) lint PYTHON='$(PYTHON)'

.PHONY: lint-generated
lint-generated: generate
	cd api && $(TOOLS)/buf lint
	@git diff --exit-code -- $(GENERATED) || { \
		echo 'Generated code is not what `make generate` makes: run it and commit the result.' >&2; exit 1; }

.PHONY: format
format: check-go $(GOLANGCI_LINT) ## Format all code (gofumpt, gci)
	@set -e; for m in $(MODULES); do (cd $$m && $(TOOLS)/golangci-lint fmt ./...); done

.PHONY: generate
generate: check-go $(BUF) $(PROTOC_GEN) ## Regenerate all generated code
	cd api && PATH="$(TOOLS):$$PATH" buf generate
	go generate $(PACKAGES)

.PHONY: tools
tools: $(BUF) $(PROTOC_GEN) $(GOLANGCI_LINT) ## Build generators and linters into bin/tools, at exact versions

# install NAME,PACKAGE@VERSION
define install
	@mkdir -p $(TOOLS)
	@echo "install $(1) (once; takes some minutes)"
	@GOWORK=off GOFLAGS= CGO_ENABLED=0 GOBIN="$(TOOLS)" go install -trimpath $(1)
	@rm -f $(TOOLS)/.$(notdir $(firstword $(subst @, ,$(1))))-v* && touch $@
endef

$(BUF): | check-go
	$(call install,github.com/bufbuild/buf/cmd/buf@$(BUF_VERSION))

$(call tool,protoc-gen-go-$(PROTOC_GEN_GO_VERSION)): | check-go
	$(call install,google.golang.org/protobuf/cmd/protoc-gen-go@$(PROTOC_GEN_GO_VERSION))

$(call tool,protoc-gen-go-grpc-$(PROTOC_GEN_GO_GRPC_VERSION)): | check-go
	$(call install,google.golang.org/grpc/cmd/protoc-gen-go-grpc@$(PROTOC_GEN_GO_GRPC_VERSION))

$(GOLANGCI_LINT): | check-go
	$(call install,github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_LINT_VERSION))

.PHONY: clean
clean: ## Remove what was built (tools and libraries stay, so does the data of hosts)
	rm -rf bin/apm bin/plugins bin/test bin/my-app bin/demo $(PYTHON_DIR)/bin/apm-plugin-*

.PHONY: help
help: ## List the targets
	@awk 'BEGIN { FS = ":.*## "; printf "make TARGET\n" } \
		/^##@ / { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z][a-z-]*:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

# ---- before anything else ----
# The Go of this tree first (a newer toolchain may come by itself, GOTOOLCHAIN=auto), else the one installed.
.PHONY: check-go
check-go:
	@get="Go $(GO_NEEDED) or newer: https://go.dev/dl/ has it for every system."; \
	if ! command -v go >/dev/null 2>&1; then \
		printf '%s\n' "APM needs Go $(GO_NEEDED), and there is no go on the PATH." "$$get" >&2; exit 2; \
	fi; \
	have=$$(go env GOVERSION 2>/dev/null); \
	[ -n "$$have" ] || have=$$(cd / && GOTOOLCHAIN=local go env GOVERSION 2>/dev/null); \
	awk -v have="$$have" -v need="$(GO_NEEDED)" 'BEGIN { \
		sub(/^[^0-9]*/, "", have); split(have, h, "."); split(need, n, "."); \
		for (i = 1; i <= 3; i++) { if (h[i] + 0 > n[i] + 0) exit 0; if (h[i] + 0 < n[i] + 0) exit 1 } }' || { \
		printf '%s\n' "APM needs Go $(GO_NEEDED); this is $${have:-an older one}." "$$get" \
			"Or let go fetch it: GOTOOLCHAIN=auto make ..." >&2; exit 2; \
	}

.PHONY: first-build-takes-long
first-build-takes-long: check-go
	@[ -x bin/apm ] || echo 'The first build compiles every dependency and takes some minutes; the next ones take seconds.'
