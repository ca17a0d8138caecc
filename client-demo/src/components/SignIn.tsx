import { type FormEvent, useEffect, useState } from "react";

import { wantsToken } from "../client/directory";
import { signIn } from "../client/session";
import { useStore } from "../store/store";
import { Fish } from "./Fish";
import { Icon } from "./Icon";
import { Shoal } from "./Shoal";

/** The longest name the server takes. */
const LONGEST = 128;

export function SignIn() {
  const turnedAway = useStore((state) => state.turnedAway);
  const [byToken, setByToken] = useState(turnedAway?.needsToken ?? false);

  useEffect(() => {
    void wantsToken().then((wants) => wants && setByToken(true));
  }, []);

  return (
    <div className="sign-in">
      <Shoal />
      <main className="sign-in-card">
        <p className="brand">
          <Fish isSockeye /> Sockeye
        </p>
        <h1>Swim along.</h1>
        <p className="lead">Rooms, direct messages and who is around, on a server of your own.</p>
        {turnedAway !== null && (
          <p className="sign-in-problem" role="alert">
            <Icon name="alert" />
            {turnedAway.reason}
          </p>
        )}
        {byToken ? <ByToken key="token" /> : <ByName key="name" />}
      </main>
    </div>
  );
}

function ByName() {
  const [name, setName] = useState("");
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (name.trim() !== "") signIn({ name: name.trim() });
  };
  return (
    <>
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
    </>
  );
}

function ByToken() {
  const [token, setToken] = useState("");
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (token.trim() !== "") signIn({ name: "", token: token.trim() });
  };
  return (
    <>
      <form onSubmit={submit}>
        <label htmlFor="token">Your token</label>
        <input
          id="token"
          data-testid="sign-in-token"
          type="password"
          value={token}
          onChange={(event) => setToken(event.target.value)}
          autoComplete="off"
          autoFocus
          required
        />
        <button type="submit" className="button-primary" disabled={token.trim() === ""}>
          Sign in
        </button>
      </form>
      <p className="fine-print">
        A JSON Web Token, as your application issues it. To try without one, <code>sockeye token --user ada</code>{" "}
        prints a token.
      </p>
    </>
  );
}
