# One command for each thing a developer wants. Tools are `tool` lines of go.mod,
# built once into .tools, so a fresh clone needs Go, gcc (for the race detector)
# and make. `make interop` says what else it needs; .ci/run installs it on Debian.

SHELL    := /bin/bash
GO       ?= go
FUZZTIME ?= 1m
# Race-instrumented packages share the cores; a package that hangs is ended.
TIMEOUT  ?= 30m

GOFUMPT     := $(CURDIR)/.tools/gofumpt
STATICCHECK := $(CURDIR)/.tools/staticcheck

# lint MODULE: vet and staticcheck a module of this repository.
lint = @cd $(1) && echo "vet and staticcheck: $(1)" && $(GO) vet ./... && $(STATICCHECK) ./...

# The binary knows what it was made of also where the Go tool cannot tell, as in
# a tree without .git.
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null)

.PHONY: help build demo man dev check test interop compatibility golden fuzz bench

help: ## this list
	@grep -E '^[a-z]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 16

build: ## the binary as it is shipped, without cgo: ./stocktake
	@echo "compiling stocktake (the first time takes a minute or two)"
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-s -w -X main.version=$(VERSION)' ./cmd/stocktake

demo: build ## a tour: server, upload, inventory, report
	./stocktake demo

man: build ## the manual page: ./stocktake.1
	./stocktake man > stocktake.1

dev: ## run a server on .dev, port 9000
	$(GO) run ./cmd/stocktake serve --data .dev

check: test interop ## what CI runs, and whether every go.mod is tidy and generated code is current
	$(GO) generate ./internal/digest && git diff --exit-code --stat -- internal/digest
	@for m in . interop interop/servers interop/servers/minio interop/suites interop/suites/litestream bench internal/digest/_asm; do (cd $$m && echo "go mod tidy -diff ($$m)" && $(GO) mod tidy -diff) || exit 1; done

test: $(GOFUMPT) $(STATICCHECK) ## formatting, vet, staticcheck and all tests of the main module; 12 to 20 minutes on two cores
	@out=$$($(GOFUMPT) -l .); if [ -n "$$out" ]; then echo "not formatted; run: go tool gofumpt -w ."; echo "$$out"; exit 1; fi
	$(call lint,.)
	$(GO) test -race -timeout $(TIMEOUT) ./...

interop: $(STATICCHECK) ## foreign clients against a real stocktake; the tests of bench/
	$(call lint,interop)
	cd interop && REQUIRE_POSTGRES=1 $(GO) test -count=1 -timeout 60m $$($(GO) list ./... | grep -v '/cluster$$')
	cd interop && REQUIRE_POSTGRES=1 $(GO) test -count=1 -timeout 60m ./cluster # leases: not while others use the processors
	REQUIRE_POSTGRES=1 $(GO) test -count=1 ./internal/catalog/postgres ./internal/runner/cluster ./internal/server
	$(call lint,bench)
	cd bench && $(GO) test ./...

compatibility: ## the same, and rewrite the tables of docs/compatibility.md and docs/stores.md
	cd interop && $(GO) test -count=1 -timeout 30m . -update
	cd interop && $(GO) test -count=1 -timeout 30m ./stores -update

golden: ## rewrite golden files, then show what changed
	$(GO) test $$(git ls-files '*_test.go' ':!interop' ':!bench' | xargs grep -l 'flag.Bool("update"' | xargs -n1 dirname | sort -u | sed 's,^,./,') -update
	git diff --stat -- '*/testdata/*'

fuzz: ## FUZZTIME (1m) on each fuzz target
	@set -e; git ls-files '*_test.go' ':!interop' ':!bench' | xargs grep -oE '^func Fuzz[A-Za-z0-9_]*' | sed 's/:func /:/' | sort -u | \
	while IFS=: read -r file name; do \
		echo "== $$name in $$(dirname $$file)"; \
		$(GO) test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) ./$$(dirname $$file) < /dev/null; \
	done

bench: ## one benchmark run, raw output to bench/results
	cd bench && $(GO) run . run

$(GOFUMPT): go.mod
	$(GO) build -o $@ mvdan.cc/gofumpt

$(STATICCHECK): go.mod
	$(GO) build -o $@ honnef.co/go/tools/cmd/staticcheck
