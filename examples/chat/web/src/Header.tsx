import { useRef } from "react";
import type { ClientStatus } from "syncdb/client";
import { useStatus } from "syncdb/react";
import { AccountName } from "./AccountName.js";
import { Mark } from "./icons.js";
import { SignOutDialog } from "./SignOutDialog.js";

interface HeaderProps {
  readonly user: string;
  readonly onSignOut: (clear: boolean) => Promise<void>;
}

const PHASES: { readonly [phase in ClientStatus["phase"]]: readonly [word: string, kind: string] } =
  {
    offline: ["Offline", "off"],
    connecting: ["Connecting", "busy"],
    catching_up: ["Syncing", "busy"],
    live: ["Live", "on"],
    unauthorized: ["Signed out", "off"],
    closed: ["Closed", "off"],
  };

/** Whose chat it is, how it stands, and the way out. */
export function Header({ user, onSignOut }: HeaderProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const { phase } = useStatus();
  const [word, kind] = PHASES[phase];

  return (
    <header className="header">
      <Mark />
      <h1 className="visually-hidden">Chat</h1>
      <AccountName user={user} />
      <span className={`phase ${kind}`}>{word}</span>
      <button type="button" className="quiet" onClick={() => dialog.current?.showModal()}>
        Sign out
      </button>
      <SignOutDialog ref={dialog} user={user} onSignOut={onSignOut} />
    </header>
  );
}
