// Messages in PostgreSQL, in a table like sockeye's: one insert for each message, or one for all that wait.
import pg from "pg";

/** The most messages of one batch. */
const BATCH_MAX = 1_024;

const SCHEMA = `create table if not exists node_messages (
  room text not null, room_offset bigint not null, sender text not null, at bigint not null, body text not null,
  primary key (room, room_offset)
)`;

/** Opens the database and returns `save(room, sender, body)`, whose promise is fulfilled after the commit. */
export async function open(url, { batch }) {
  // One connection: the messages of a room are acknowledged in the order of their offsets.
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query(`drop table if exists node_messages; ${SCHEMA}`);
  const offsets = new Map();
  const row = (room, sender, body) => {
    const offset = (offsets.get(room) ?? 0) + 1;
    offsets.set(room, offset);
    return [room, offset, sender, Date.now(), JSON.stringify(body)];
  };
  const one = {
    name: "one",
    text: "insert into node_messages (room, room_offset, sender, at, body) values ($1, $2, $3, $4, $5)",
  };
  if (!batch) return (room, sender, body) => client.query({ ...one, values: row(room, sender, body) });

  const all = {
    name: "all",
    text: `insert into node_messages (room, room_offset, sender, at, body)
      select * from unnest($1::text[], $2::bigint[], $3::text[], $4::bigint[], $5::text[])`,
  };
  let waiting = [];
  let isWriting = false;
  const write = async () => {
    isWriting = true;
    while (waiting.length > 0) {
      const group = waiting.splice(0, BATCH_MAX);
      const values = [0, 1, 2, 3, 4].map((column) => group.map(({ row }) => row[column]));
      await client.query({ ...all, values });
      for (const { resolve } of group) resolve();
    }
    isWriting = false;
  };
  return (room, sender, body) =>
    new Promise((resolve) => {
      waiting.push({ row: row(room, sender, body), resolve });
      if (!isWriting) write();
    });
}
