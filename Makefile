# `make run` on a fresh machine builds everything and serves it; `make test` passes every test.

.PHONY: run demo test rust-tests conformance-tests example-tests client-tests demo-tests foreign-clients browser promtool postgres python openssl bench \
	fuzz soak lint deny docs mdbook

PYTHON := $(shell python3 -c 'import ensurepip, venv' 2>/dev/null && echo python3)
OPENSSL := $(shell pkg-config --exists openssl 2>/dev/null && echo openssl)
BROWSER := $(shell command -v chromium || command -v chromium-browser || command -v google-chrome)
PROMTOOL := $(shell command -v promtool)
POSTGRES := $(or $(wildcard /usr/lib/postgresql/*/bin/initdb),$(shell command -v initdb))
MDBOOK := $(shell command -v mdbook)
FUZZ_TARGETS := websocket packet payload json
# How long each target is fuzzed.
FUZZ_SECONDS := 600
# `make soak`: seconds for each model of threads, kills of the server, seeds of the model of recovery, and at how many of
# their places connections are cut (all or 3). `make test` has a fixed number of runs of each model, and 3 of the others.
SOAK_SECONDS := 600
SOAK_KILLS := 20
SOAK_SEEDS := 20
SOAK_CUTS := all
# Clients that are connected while the server restarts. `make test` has 20.
SOAK_CLIENTS := 1000

# What a failed command has half written is not taken for done.
.DELETE_ON_ERROR:

# What `npm ci` writes last, and nothing else touches.
INSTALLED := node_modules/.package-lock.json
# Folders too: a file that is gone changes the one it was in.
DEMO_SOURCES := $(shell find client-demo/src client-demo/public) $(filter-out client-demo/dist client-demo/node_modules client-demo/README.md,$(wildcard client-demo/*))

run: demo
	cargo run --release --bin sockeye -- serve --set 'search.fields=["text"]'

demo: client-demo/dist/index.html

# Cargo builds the server anew when these files are: they are written only when something has changed.
client-demo/dist/index.html: client-demo/$(INSTALLED) $(DEMO_SOURCES)
	cd client-demo && npm run build

%/$(INSTALLED): %/package-lock.json
	cd $* && npm ci
	touch $@

lint:
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	cargo clippy --all-targets --all-features --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --all-features --locked

# Needs cargo-deny and the network: the advisories are fetched.
deny:
	cargo deny --workspace --locked check

test: rust-tests conformance-tests example-tests client-tests demo-tests

# The demo and the client for browsers are built into the binary: they must be there before. The binary is that without
# features; the tests have all of them.
rust-tests: demo postgres
	cargo build --locked --bins --examples
	cargo test --workspace --all-features --locked

# Every case runs against Node's server too: where Node is the specification, it says whether the case is right.
conformance-tests: client-demo/$(INSTALLED) tests/conformance/$(INSTALLED) foreign-clients
	cargo build --locked --example conformance
	cd tests/conformance && npm test
	cd tests/conformance && MOUNTED=1 ONLY=sockeye node --test --test-concurrency=2 --test-timeout=180000 \
		binary.test.js closing.test.js heartbeat.test.js hooks.test.js listeners.test.js middleware.test.js \
		observers.test.js polling.test.js recovery.test.js runtime-namespaces.test.js server-api.test.js \
		server-calls.test.js upgrade.test.js websocket.test.js

# Each example, and a Node server of the same behaviour, with the official client; and an application in a crate of its
# own, which sees only what is public.
example-tests: client-demo/$(INSTALLED) tests/examples/$(INSTALLED)
	cargo build --locked --examples
	CARGO_TARGET_DIR=$(CURDIR)/target cargo build --locked --manifest-path tests/application/Cargo.toml
	cd tests/examples && npm test

# Prometheus' own tool checks the metrics. On Debian it is installed if it is missing. The second run keeps everything in
# PostgreSQL.
client-tests: promtool postgres client-demo/$(INSTALLED) tests/clients/$(INSTALLED) foreign-clients
	cargo build --locked --bins
	cd tests/clients && npm test
	cd tests/clients && node with-postgres.js group-chat.test.js http-messages.test.js http-rooms.test.js \
		http-users.test.js messages.test.js offsets.test.js one-room.test.js presence.test.js recovery.test.js \
		replies.test.js rooms.test.js together.test.js

# Clients of other languages, as PyPI and crates.io have them. On Debian what they need is installed if it is missing.
foreign-clients: tests/foreign/python/.venv openssl
	CARGO_TARGET_DIR=$(CURDIR)/target cargo build --locked --manifest-path tests/foreign/rust/Cargo.toml

tests/foreign/python/.venv: tests/foreign/python/requirements.txt | python
	python3 -m venv --clear $@
	$@/bin/pip install --quiet --requirement $<
	touch $@

python:
ifeq ($(PYTHON),)
	apt-get update && apt-get install -y --no-install-recommends python3 python3-venv
endif

openssl:
ifeq ($(OPENSSL),)
	apt-get update && apt-get install -y --no-install-recommends libssl-dev pkg-config
endif

# The demo in a real browser. On Debian the browser is installed if there is none.
demo-tests: demo browser tests/demo/$(INSTALLED) tests/clients/$(INSTALLED)
	cd client-demo && npm test
	cargo build --locked --bins
	cd tests/demo && npm test

browser:
ifeq ($(BROWSER),)
	apt-get update && apt-get install -y --no-install-recommends chromium
endif

promtool:
ifeq ($(PROMTOOL),)
	apt-get update && apt-get install -y --no-install-recommends prometheus
endif

# The tests start servers of their own, which do not touch one that is installed.
postgres:
ifeq ($(POSTGRES),)
	apt-get update && apt-get install -y --no-install-recommends postgresql
endif

# The documentation as a site with a search, into target/book.
docs: mdbook
	PATH="$(or $(CARGO_HOME),$(HOME)/.cargo)/bin:$$PATH" mdbook build docs

mdbook:
ifeq ($(MDBOOK),)
	test -x $(or $(CARGO_HOME),$(HOME)/.cargo)/bin/mdbook || cargo install mdbook --locked --version 0.5.4
endif

bench: client-demo/$(INSTALLED) bench/peers/$(INSTALLED)
	cargo build --release --locked -p sockeye --bin sockeye --example bench_server
	cargo build --release --locked -p sockeye-bench
	target/release/sockeye-bench run --sockeye target/release/sockeye \
		--library target/release/examples/bench_server --peers bench/peers --out bench/RESULTS.md

# Needs cargo-fuzz; fuzz/README.md tells more.
fuzz:
	for target in $(FUZZ_TARGETS); do \
		mkdir -p fuzz/corpus/$$target && cargo fuzz run -s none $$target fuzz/corpus/$$target fuzz/seeds/$$target \
			-- -max_total_time=$(FUZZ_SECONDS) || exit 1; \
	done

# Runs every randomized test for long: models of threads, kills, cuts, seeds of recovery. It fails at its end if one has.
soak: demo postgres client-demo/$(INSTALLED) tests/clients/$(INSTALLED)
	cargo build --locked --bins
	cargo build --locked --release --bin sockeye
	SOAK_SECONDS=$(SOAK_SECONDS) SOAK_KILLS=$(SOAK_KILLS) SOAK_SEEDS=$(SOAK_SEEDS) SOAK_CUTS=$(SOAK_CUTS) \
		SOAK_CLIENTS=$(SOAK_CLIENTS) tests/soak.sh
