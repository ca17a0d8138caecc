# `make run` on a fresh machine builds everything and serves it; `make test` passes every test.

.PHONY: run demo test rust-tests conformance-tests client-tests demo-tests foreign-clients browser python openssl bench fuzz lint

PYTHON := $(shell python3 -c 'import ensurepip, venv' 2>/dev/null && echo python3)
OPENSSL := $(shell pkg-config --exists openssl 2>/dev/null && echo openssl)
BROWSER := $(shell command -v chromium || command -v chromium-browser || command -v google-chrome)
# How long each target is fuzzed.
FUZZ_SECONDS := 600

run: demo
	cargo run --release --bin sockeye -- serve

demo: client-demo/node_modules
	cd client-demo && npm run build

client-demo/node_modules: client-demo/package-lock.json
	cd client-demo && npm ci
	touch $@

tests/clients/node_modules: tests/clients/package-lock.json
	cd tests/clients && npm ci
	touch $@

tests/conformance/node_modules: tests/conformance/package-lock.json
	cd tests/conformance && npm ci
	touch $@

tests/demo/node_modules: tests/demo/package-lock.json
	cd tests/demo && npm ci
	touch $@

lint:
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked

test: rust-tests conformance-tests client-tests demo-tests

# The browser's client is built into the binary: its package must be there before.
rust-tests: client-demo/node_modules
	cargo build --locked --bins --examples
	cargo test --workspace --locked

# Every case runs against Node's server too: where Node is the specification, it says whether the case is right.
conformance-tests: client-demo/node_modules tests/conformance/node_modules foreign-clients
	cargo build --locked --example conformance
	cd tests/conformance && npm test

client-tests: client-demo/node_modules tests/clients/node_modules foreign-clients
	cargo build --locked --bins --example echo
	cd tests/clients && npm test

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
demo-tests: demo browser tests/demo/node_modules tests/clients/node_modules
	cd client-demo && npm test
	cargo build --locked --bins
	cd tests/demo && npm test

browser:
ifeq ($(BROWSER),)
	apt-get update && apt-get install -y --no-install-recommends chromium
endif

bench: client-demo/node_modules bench/peers/node_modules
	cargo build --release --locked -p sockeye --bin sockeye --example bench_server
	cargo build --release --locked -p sockeye-bench
	target/release/sockeye-bench run --sockeye target/release/sockeye \
		--library target/release/examples/bench_server --peers bench/peers --out bench/RESULTS.md

# Needs cargo-fuzz; fuzz/README.md tells more.
fuzz:
	for target in websocket packet payload; do \
		mkdir -p fuzz/corpus/$$target && cargo fuzz run -s none $$target fuzz/corpus/$$target fuzz/seeds/$$target \
			-- -max_total_time=$(FUZZ_SECONDS) || exit 1; \
	done

bench/peers/node_modules: bench/peers/package-lock.json
	cd bench/peers && npm ci
	touch $@
