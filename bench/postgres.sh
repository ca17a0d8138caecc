#!/bin/sh
# What a saved message costs with PostgreSQL: sockeye against its own SQLite, against Node with `pg`, and against what
# `pgbench` reaches with the best batched insert of the same rows into the same tables over one connection, which is what
# sockeye writes over. Usage: bench/postgres.sh URL [ROUNDS]. It makes schemas of its own and drops them at its end.
set -eu
url=$1
rounds=${2:-3}
cd "$(dirname "$0")/.."
sockeye=${SOCKEYE:-target/release/sockeye}
bench=${BENCH:-target/release/sockeye-bench}
folder=$(mktemp -d)
trap 'psql -qX "$url" -c "DROP SCHEMA IF EXISTS bench_sockeye, bench_pgbench CASCADE; DROP TABLE IF EXISTS node_messages" 2> /dev/null; rm -rf "$folder"' EXIT

limits="--set limits.events-per-second=1000000 --set limits.sockets-per-address=100000"
serve="$sockeye serve $limits --data $folder/data --set store.url=$url --set store.schema=bench_sockeye"
psql -qX "$url" -c "DROP SCHEMA IF EXISTS bench_sockeye, bench_pgbench CASCADE"
echo "## sends, server CPU"
"$bench" run --sockeye "$sockeye" --library "${LIBRARY:-target/release/examples/bench_server}" --peers bench/peers \
    --servers sockeye,node-sqlite,sockeye-postgres,node-postgres,node-postgres-batch \
    --extra "sockeye-postgres=sockeye:$serve" \
    --extra "node-postgres=peer:node $PWD/bench/peers/server.mjs --postgres $url" \
    --extra "node-postgres-batch=peer:node $PWD/bench/peers/server.mjs --batch --postgres $url" \
    --only send --rounds "$rounds" --seconds 4

echo "## rows per second, pgbench, by rows of one transaction"
psql -qX "$url" -c "CREATE SCHEMA bench_pgbench"
PGOPTIONS="-c search_path=bench_pgbench" psql -qX "$url" -f migrations/postgres/0001_schema.sql
PGOPTIONS="-c search_path=bench_pgbench" psql -qX "$url" \
    -c "INSERT INTO rooms (key) SELECT 'room ' || n FROM generate_series(1, 50) AS n"
for rows in 64 128 256 400; do
    each=$((rows / 50 > 0 ? rows / 50 : 1))
    cat > "$folder/insert.sql" <<SQL
BEGIN;
WITH locked AS (SELECT id, newest_offset FROM rooms WHERE id <= $((rows < 50 ? rows : 50)) ORDER BY id FOR UPDATE),
new AS (SELECT id, newest_offset + n AS room_offset FROM locked, generate_series(1, $each) AS n)
INSERT INTO messages (room, room_offset, id, revision, user_id, user_name, at, body)
SELECT id, room_offset, gen_random_uuid(), room_offset, 'user ' || id, 'user ' || id, 1764000000000,
    '{"text":"' || repeat('x', 100) || '","n":' || room_offset || '}' FROM new;
UPDATE rooms SET newest_offset = newest_offset + $each, revision = revision + $each, committed_at = 1764000000000
    WHERE id <= $((rows < 50 ? rows : 50));
COMMIT;
SQL
    per_second=$(PGOPTIONS="-c search_path=bench_pgbench" pgbench -n -c 1 -T 5 -f "$folder/insert.sql" "$url" 2> /dev/null |
        sed -n 's/^tps = \([0-9.]*\).*/\1/p')
    echo "$((each * 50)) rows: $(awk "BEGIN { printf \"%d\", $per_second * $each * 50 }") rows/s"
done
