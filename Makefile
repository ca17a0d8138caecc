# `make run` on a fresh machine builds everything and serves it; `make test` passes every test.

.PHONY: run demo test rust-tests conformance-tests client-tests demo-tests browser bench fuzz lint

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
conformance-tests: client-demo/node_modules tests/conformance/node_modules
	cargo build --locked --example conformance
	cd tests/conformance && npm test

client-tests: client-demo/node_modules tests/clients/node_modules
	cargo build --locked --bins --example echo
	cd tests/clients && npm test

# The demo in a real browser. On Debian the browser is installed if there is none.
demo-tests: demo browser tests/demo/node_modules
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
	for target in websocket packet payload json; do \
		mkdir -p fuzz/corpus/$$target && cargo fuzz run -s none $$target fuzz/corpus/$$target fuzz/seeds/$$target \
			-- -max_total_time=$(FUZZ_SECONDS) || exit 1; \
	done

bench/peers/node_modules: bench/peers/package-lock.json
	cd bench/peers && npm ci
	touch $@
