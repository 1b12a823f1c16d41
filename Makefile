GO ?= go
LINT = $(GO) run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.5.0
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
RACE := $(shell command -v gcc >/dev/null 2>&1 && echo -race)
FUZZTIME ?= 10s

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

build: ## build bin/idbridge
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags "-X main.version=$(VERSION)" -o bin/idbridge ./cmd/idbridge

test: deps ## everything that proves the program: installs the servers it needs where it may
	@$(MAKE) --no-print-directory fmt vet
	$(MAKE) --no-print-directory run-tests

run-tests: # a make of its own, so that RACE is evaluated after the compiler was installed
	$(GO) test $(RACE) -timeout 30m -skip '^TestGate$$' ./...
	$(GO) test -count=1 -timeout 30m ./sync/engine # 20,000 random lives, and every mutant must die
	@$(MAKE) --no-print-directory crash

crash: ## kill the program at each named point, each time it is passed: prints points × hits
	@log=$$(mktemp) && trap 'rm -f "$$log"' EXIT; \
	$(GO) test -count=1 -timeout 20m -tags failpoints -v -run 'Crash|KilledDaemon' ./cmd/idbridge ./authstore > "$$log" 2>&1; code=$$?; \
	sed -n 's/^ *crash_test.go:[0-9]*: \(.*converged\)$$/\1/p' "$$log"; grep -E '^(ok|FAIL|--- )' "$$log"; \
	[ $$code -eq 0 ] || { tail -n 200 "$$log"; exit $$code; }

guarantees: deps ## list every numbered case of docs/guarantees.md and run it
	@log=$$(mktemp) && trap 'rm -f "$$log"' EXIT; \
	$(GO) test -count=1 -timeout 30m -tags failpoints -v -run '^Test([NRFI][0-9][0-9]|Guarantees)' ./... > "$$log" 2>&1; code=$$?; \
	awk '/^--- (PASS|FAIL|SKIP): Test[NRFI][0-9][0-9]/ { sub(":", "", $$2); print substr($$3, 5, 3), tolower($$2), $$3, $$4 }' "$$log" | sort | \
	  awk '{ printf "%-4s → %-5s %-34s %s\n", $$1, $$2, $$3, $$4; n[$$2]++ } END { print n["pass"] + 0, "pass,", n["fail"] + 0, "fail,", n["skip"] + 0, "skipped" }'; \
	[ $$code -eq 0 ] || { grep -vE '^(=== |ok |--- PASS| +--- PASS|\?)' "$$log" | tail -n 200; exit $$code; }

deps: ## install what the tests talk to: slapd, PostgreSQL, PgBouncer, nginx, chromium, a C compiler (root on Debian)
	@scripts/test-deps

fmt:
	@out=$$(gofmt -l .); [ -z "$$out" ] || { echo "not formatted (gofmt -w .):"; echo "$$out"; exit 1; }

vet:
	$(GO) vet ./...
	$(GO) vet -tags mutants,failpoints ./...

lint: ## golangci-lint with .golangci.yaml
	$(LINT) run ./...

check: fmt vet lint test ## all of the above

bench: deps ## 100,000 people: ldapsearch, import, reconcile, memory, and the hot routes of the API, as ratios of one run
	$(GO) run ./cmd/bench

fuzz: ## every fuzz target for FUZZTIME
	@for t in $$(grep -rlE '^func Fuzz' --include='*_test.go' . | xargs -n1 dirname | sort -u); do \
	  for f in $$(grep -hoE '^func Fuzz[A-Za-z0-9_]*' $$t/*_test.go | cut -c6-); do \
	    echo "$$t $$f"; $(GO) test -run '^$$' -fuzz "^$$f$$" -fuzztime $(FUZZTIME) $$t || exit 1; done; done

.PHONY: help build test run-tests crash guarantees deps fmt vet lint check bench fuzz
