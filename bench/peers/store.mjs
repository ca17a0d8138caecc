// Messages in SQLite with sockeye's pragmas: WAL, synchronous NORMAL. One prepared statement per message.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";

/** Opens `directory/messages.db` and returns `save(room, sender, body)`, which returns after the commit. */
export function open(directory) {
  mkdirSync(directory, { recursive: true });
  const db = new Database(join(directory, "messages.db"));
  db.pragma("journal_mode = WAL");
  db.pragma("synchronous = NORMAL");
  db.exec(`create table if not exists messages (
    room text not null, room_offset integer not null, sender text not null, at integer not null, body text not null,
    primary key (room, room_offset)
  ) without rowid`);
  const insert = db.prepare("insert into messages (room, room_offset, sender, at, body) values (?, ?, ?, ?, ?)");
  const offsets = new Map(db.prepare("select room, max(room_offset) as last from messages group by room").all().map((row) => [row.room, row.last]));

  return (room, sender, body) => {
    const offset = (offsets.get(room) ?? 0) + 1;
    insert.run(room, offset, sender, Date.now(), JSON.stringify(body));
    offsets.set(room, offset);
    return offset;
  };
}
