import { type FormEvent, useState } from "react";

import { signIn } from "../client/session";
import { Fish } from "./Fish";
import { Shoal } from "./Shoal";

/** The longest name the server takes. */
const LONGEST = 128;

export function SignIn() {
  const [name, setName] = useState("");

  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (name.trim() !== "") signIn(name.trim());
  };

  return (
    <div className="sign-in">
      <Shoal />
      <main className="sign-in-card">
        <p className="brand">
          <Fish isSockeye /> Sockeye
        </p>
        <h1>Swim along.</h1>
        <p className="lead">Rooms, direct messages and who is around, on a server of your own.</p>
        <form onSubmit={submit}>
          <label htmlFor="name">Your name</label>
          <input
            id="name"
            data-testid="sign-in-name"
            value={name}
            onChange={(event) => setName(event.target.value)}
            maxLength={LONGEST}
            autoComplete="nickname"
            autoCapitalize="words"
            spellCheck={false}
            autoFocus
            required
          />
          <button type="submit" className="button-primary" disabled={name.trim() === ""}>
            Sign in
          </button>
        </form>
        <p className="fine-print">There is no password: whoever gives this name is you, on every device.</p>
      </main>
    </div>
  );
}
