import { type FormEvent, useState } from "react";

import { replaceToken } from "../client/session";

/** In the banner: another token, where the last one is not good any more. Nothing else on the page is lost. */
export function TokenForm() {
  const [token, setToken] = useState("");

  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (token.trim() !== "") replaceToken(token.trim());
  };

  return (
    <form className="token-form" onSubmit={submit}>
      <input
        type="password"
        aria-label="New token"
        placeholder="New token"
        value={token}
        onChange={(event) => setToken(event.target.value)}
        autoComplete="off"
        required
      />
      <button type="submit" className="button-quiet" disabled={token.trim() === ""}>
        Sign in
      </button>
    </form>
  );
}
