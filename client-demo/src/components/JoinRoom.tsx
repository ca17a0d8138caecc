import { type FormEvent, useState } from "react";

import { joinRoom } from "../client/rooms";
import { IconButton } from "./IconButton";

/** The longest room name the server takes. */
const LONGEST = 128;

export function JoinRoom() {
  const [name, setName] = useState("");

  const submit = (event: FormEvent) => {
    event.preventDefault();
    const wanted = name.trim().replace(/^#/, "");
    if (wanted === "") return;
    joinRoom(wanted);
    setName("");
  };

  return (
    <form className="join-room" onSubmit={submit}>
      <label htmlFor="join-room" className="visually-hidden">
        Join or create a room
      </label>
      <input
        id="join-room"
        value={name}
        onChange={(event) => setName(event.target.value)}
        placeholder="Join or create a room"
        maxLength={LONGEST}
        autoComplete="off"
        autoCapitalize="none"
        spellCheck={false}
      />
      <IconButton icon="plus" label="Join room" type="submit" disabled={name.trim() === ""} />
    </form>
  );
}
