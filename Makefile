# Everything a developer needs. "make help" lists the targets.

GO ?= go
TEST_MODULES := . operator operator/prom otelreceiver examples test
CHECK_MODULES := $(TEST_MODULES) test/promoperator tools/release
GORELEASER := $(GO) tool -modfile=tools/release/go.mod goreleaser
TESTFLAGS ?=

.PHONY: help
help: ## List the targets.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## Build the binary into bin/, with the names by which it takes the place of others.
	CGO_ENABLED=0 $(GO) build -trimpath -o bin/kubevitals ./cmd/kubevitals
	@for name in kube-state-metrics metrics-proxy; do ln -sf kubevitals bin/$$name; done

.PHONY: check
check: ## Check format, vet, lint and that generated files are current.
	@test -z "$$(gofmt -l $(CHECK_MODULES))" || { echo "gofmt would change:"; gofmt -l $(CHECK_MODULES); exit 1; }
	@for m in $(CHECK_MODULES); do echo "vet $$m"; (cd $$m && $(GO) vet ./...) || exit 1; done
	@for m in $(CHECK_MODULES); do echo "lint $$m"; (cd $$m && $(GO) tool -modfile=$(CURDIR)/tools/go.mod golangci-lint run --config $(CURDIR)/.golangci.yml ./...) || exit 1; done
	@$(MAKE) --no-print-directory generate
	@git diff --exit-code -- docs/reference catalog deploy || { echo "generated files are not current: commit what 'make generate' wrote"; exit 1; }

.PHONY: test
test: ## Build the control plane (once) and run every test.
	@echo "Building the control plane; the first time takes some minutes."
	@if [ "$$(id -u)" = 0 ]; then for p in curl openssl python3; do \
		command -v $$p >/dev/null || apt-get install -y --no-install-recommends $$p || exit 1; done; fi
	cd test && $(GO) run ./controlplane/build
	@for m in operator operator/prom . otelreceiver examples; do echo "test $$m"; (cd $$m && $(GO) test -race $(TESTFLAGS) ./...) || exit 1; done
	@# These run the binary, whose changes the cache of test results does not see.
	cd test && $(GO) test -count=1 -timeout 40m $(TESTFLAGS) ./...

.PHONY: fuzz
FUZZTIME ?= 30s
fuzz: ## Run each fuzz target for FUZZTIME (30s).
	@for m in . operator test; do (cd $$m && for p in $$($(GO) list ./...); do \
		for f in $$($(GO) test -list '^Fuzz' $$p | grep '^Fuzz'); do \
			echo "$$p $$f"; $(GO) test -run '^$$' -fuzz "^$$f\$$" -fuzztime $(FUZZTIME) $$p || exit 1; \
		done; done) || exit 1; done

.PHONY: bench
bench: ## Run the benchmarks.
	@for m in operator operator/prom .; do (cd $$m && $(GO) test -run '^$$' -bench . -benchmem ./...) || exit 1; done
	cd test && $(GO) test -run '^$$' -bench . ./pods

.PHONY: generate
generate: ## Write generated files anew: the references, and the dashboards of the catalogs.
	$(GO) test -count=1 ./internal/cli -run 'Reference' -update >/dev/null
	$(GO) test -count=1 ./internal/dashboard -run 'Generated' -update >/dev/null

.PHONY: snapshot
snapshot: ## Build the archives of a release into dist/, without releasing, and check them.
	$(GORELEASER) release --snapshot --clean --skip=docker,sign
	cd test && $(GO) test -count=1 -timeout 40m ./release -run '^TestSnapshot$$' -dist $(CURDIR)/dist

.PHONY: set-version
set-version: ## Write VERSION (v1.2.3) wherever the version of a release stands.
	cd tools/release && $(GO) build -o ../../bin/version ./version
	bin/version set $(VERSION)
	@$(MAKE) --no-print-directory generate

.PHONY: release
release: ## Release VERSION (v1.2.3), whose tag is checked out; see docs/releasing.md.
	cd tools/release && $(GO) build -o ../../bin/version ./version
	bin/version check $(VERSION)
	bin/version notes $(VERSION) >bin/notes.md
	GORELEASER_CURRENT_TAG=$(VERSION) $(GORELEASER) release --clean --release-notes bin/notes.md
