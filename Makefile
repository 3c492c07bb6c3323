# Everything a person does with this repository. `make help` lists it.
SHELL := /bin/bash
.DEFAULT_GOAL := help

SWIFT ?= swift
BUILD := .build
# An import that the manifest does not declare is an error, in every build.
FLAGS := --explicit-target-dependency-import-check error
PREFIX ?= /usr/local
DESTDIR ?=
SOURCES := Package.swift Sources Tests daemon bench
PROGRAMS := daleks daleksd daleks-users daleks-files
VERSION := $(shell sed -n 's/.*current = "\(.*\)"/\1/p' Sources/DaleksCore/Version.swift Sources/DaleksSystem/Version.swift 2>/dev/null | head -n 1)

BUILD_PACKAGES := pkg-config binutils fuse3 libfuse3-dev libssl-dev libcurl4-openssl-dev libsqlite3-dev libmicrohttpd-dev \
	libgnutls28-dev libpq-dev libsodium-dev libzstd-dev
TEST_PACKAGES := postgresql postgresql-common python3-venv openssl curl util-linux nginx-light systemd groff-base \
	attr git rsync sqlite3 inotify-tools gcc make
BENCH_PACKAGES := nginx-light wrk bindfs e2fsprogs gcc sshfs socat openssh-sftp-server
STRANGER_PACKAGES := debootstrap systemd-container util-linux

.PHONY: help deps deps-test deps-bench build release run test test-unit test-all check check-sanitizers fmt bench fuzz crash install deb clean

help: ## Lists what can be made
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1|\2/p' $(MAKEFILE_LIST) | column -t -s '|'

deps: ## Installs what building and running needs (apt), where it is missing
	@deploy/packages $(BUILD_PACKAGES)

deps-test: deps
	@deploy/packages $(TEST_PACKAGES)
	@deploy/promtool $(BUILD)/tools
	@Tests/venv || true

deps-bench: deps-test
	@deploy/packages $(BENCH_PACKAGES)

build: deps ## Builds for development
	$(SWIFT) build $(FLAGS)

release: deps ## Builds for use
	$(SWIFT) build $(FLAGS) -c release

# Who cloned into ~/daleks has this repository where the mount would be.
ifeq ($(CURDIR),$(HOME)/daleks)
DEMO ?= --mount $(HOME)/daleks-demo
endif

run: release ## Runs the whole system on this machine and mounts ~/daleks, until Ctrl-C
	@exec $(BUILD)/release/daleks demo $(DEMO)

# With TEST, such as TEST="--filter DaleksSyncTests", one at a time and as much of it as that says.
test: deps-test ## Builds and runs every test
	$(SWIFT) build $(FLAGS) --build-tests
	PATH="$(CURDIR)/$(BUILD)/tools:$$PATH" $(if $(TEST),$(SWIFT) test $(FLAGS) --skip-build --no-parallel $(TEST),Tests/run)

test-unit: deps-test ## Builds the tests and runs those of single targets: no whole system, no kills
	$(SWIFT) build $(FLAGS) --build-tests
	PATH="$(CURDIR)/$(BUILD)/tools:$$PATH" Tests/run unit

test-all: test ## Runs the long forms too, for many hours; `make test-all ONLY="users-kills" PERCENT=10`
	PATH="$(CURDIR)/$(BUILD)/tools:$$PATH" PERCENT=$(or $(PERCENT),100) Tests/all $(ONLY)

check: deps ## Checks format and manifest
	$(SWIFT) format lint --strict --recursive --parallel --configuration .swift-format $(SOURCES)
	$(SWIFT) build $(FLAGS)

check-sanitizers: deps-test ## Runs the tests under the thread and the address sanitizer
	deploy/sanitizers

fmt: ## Formats the sources
	$(SWIFT) format --in-place --recursive --parallel --configuration .swift-format $(SOURCES)

bench: deps-bench ## Measures against peers; `make bench NAME=http`
	bench/run $(or $(NAME),all)

fuzz: deps ## Looks for bytes that break a parser; `make fuzz SECONDS=600`
	Tests/Fuzz/run $(or $(SECONDS),20)

crash: deps-test ## Kills the daemon and the services at random, many rounds
	$(SWIFT) build $(FLAGS) --build-tests
	DALEKS_ROUNDS=$(or $(ROUNDS),100) $(SWIFT) test $(FLAGS) --skip-build --filter Crash

# Installed programs need no Swift toolchain on the machine they run on. What an attacker would write over is read-only
# once they run, and functions of the C shims check their stack.
HARDENING := -Xlinker -z -Xlinker relro -Xlinker -z -Xlinker now -Xcc -fstack-protector-strong
static: deps
	for program in $(PROGRAMS); do \
		$(SWIFT) build $(FLAGS) -c release --static-swift-stdlib --scratch-path $(BUILD)/static $(HARDENING) \
			--product $$program || exit 1; done
	deploy/hardening $(addprefix $(BUILD)/static/release/,$(PROGRAMS))
.PHONY: static

install: static ## Installs programs, manual and units under PREFIX
	for part in client users files; do \
		deploy/install $$part $(BUILD)/static/release $(DESTDIR)$(PREFIX) $(PREFIX) || exit 1; done
	@deploy/mount-helper "$(DESTDIR)" $(PREFIX)/sbin/mount.daleks

deb: static ## Builds Debian packages into .build/deb
	deploy/deb $(BUILD)/static/release $(BUILD)/deb

test-stranger: deb ## In a fresh Debian 12: follows docs/quick-start.md with nothing but the packages (root)
	@deploy/packages $(STRANGER_PACKAGES)
	Tests/stranger/run $(BUILD)/deb $(BUILD)/static/release

test-packages: deb ## Lets lintian look at the packages
	@deploy/packages lintian
	lintian --fail-on error $(BUILD)/deb/daleks*_$(VERSION)_*.deb
reference: ## Writes docs/reference.md anew, from what the built programs say
	deploy/reference $(BUILD)/debug >$(BUILD)/reference.md && mv $(BUILD)/reference.md docs/reference.md
.PHONY: test-stranger test-packages reference

sbom: static ## Lists the libraries of the installed programs, as CycloneDX, in .build/sbom.cdx.json
	deploy/sbom $(addprefix $(BUILD)/static/release/,$(PROGRAMS)) >$(BUILD)/sbom.cdx.json

coverage: deps-test ## Tells which lines of Sources the tests run; under 85 percent it fails
	PATH="$(CURDIR)/$(BUILD)/tools:$$PATH" Tests/coverage

mutations: deps-test ## Makes mistakes in the product that its tests must notice
	PATH="$(CURDIR)/$(BUILD)/tools:$$PATH" Tests/Mutations/run
.PHONY: sbom coverage mutations

clean: ## Removes what was built
	rm -rf $(BUILD)
