#!/bin/sh
# Runs every randomized test for long, which is what `make soak` does. All of them run, also after a failure. At the end
# it prints what it ran, and exits with 1 if anything failed. The variables are those at the head of the Makefile.

cd "$(dirname "$0")/.." || exit 1

summary=$(mktemp)
trap 'rm -f "$summary"' EXIT
failures=0

# run NAME COMMAND...: runs one test and notes its result.
run() {
    name=$1
    shift
    echo "soak: $name"
    begun=$(date +%s)
    if "$@"; then result=passed; else result=FAILED failures=$((failures + 1)); fi
    echo "$result  $name, $(($(date +%s) - begun)) s" >>"$summary"
}

# node_test FILES...: runs files of the client tests.
node_test() {
    (cd tests/clients && node --test --test-force-exit --test-concurrency=2 --test-timeout=600000 "$@")
}

# restart_test: a restart of the release build under many clients.
restart_test() {
    (
        ulimit -Sn "$(ulimit -Hn)"
        export RESTART_CLIENTS="$SOAK_CLIENTS" SOCKEYE_BIN="$PWD/target/release/sockeye"
        node_test restart-under-load.test.js
    )
}

export SOAK_SECONDS SOAK_KILLS SOAK_CUTS SOAK_SEEDS
run "models of threads, ${SOAK_SECONDS:?} s each" \
    cargo test --locked --lib -- --nocapture --test-threads=1 models::
run "${SOAK_KILLS:?} kills of the server under load" \
    cargo test --locked --test server -- --nocapture crashes::
run "restart under ${SOAK_CLIENTS:?} clients" restart_test
run "${SOAK_KILLS:?} kills of PostgreSQL under load" \
    cargo test --locked --all-features --lib -- --nocapture store::tests::failures::
run "${SOAK_KILLS:?} kills of PostgreSQL under clients" node_test postgres.test.js
run "${SOAK_KILLS:?} kills of a copy into PostgreSQL" node_test copy-store.test.js
run "model of a client's view of a room, ${SOAK_SEEDS:?} seeds" \
    cargo test --locked --all-features --lib -- --nocapture store::tests::model::
run "cuts of connections, $SOAK_CUTS" node_test recovery.test.js through-a-proxy.test.js
for seed in $(shuf -i 4-1000000 -n "${SOAK_SEEDS:?}"); do
    export SEED="$seed"
    run "model of recovery, SEED=$seed" node_test recovery-model.test.js
done

echo "soak: what ran"
cat "$summary"
if [ "$failures" -gt 0 ]; then
    echo "soak: $failures failed"
    exit 1
fi
