import type { FormEvent } from "react";
import { useId, useState } from "react";
import { Mark } from "./icons.js";

/** Asks for a name. The example's server believes it: there is no password. */
export function SignIn({ onSignIn }: { readonly onSignIn: (user: string) => void }) {
  const [name, setName] = useState("");
  const field = useId();

  function submit(event: FormEvent) {
    event.preventDefault();
    if (name.trim()) onSignIn(name.trim());
  }

  return (
    <main className="sign-in">
      <form className="sign-in-card" onSubmit={submit}>
        <Mark />
        <h1>Chat</h1>
        <p>What you write is on all your devices at once, and is kept when you are offline.</p>
        <label htmlFor={field}>Your name</label>
        <input
          id={field}
          name="user"
          value={name}
          onChange={(event) => setName(event.target.value)}
          autoComplete="username"
          autoCapitalize="none"
          spellCheck={false}
          maxLength={60}
          placeholder="ada"
          autoFocus
          required
        />
        <button className="primary" type="submit">
          Continue
        </button>
        <p className="hint">An example: whoever gives a name is believed, without a password.</p>
      </form>
    </main>
  );
}
