import type { FormEvent, KeyboardEvent } from "react";
import { useEffect, useId, useRef, useState } from "react";
import { useSingular } from "syncdb/react";
import { reasonOf } from "./errors.js";
import { PencilIcon } from "./icons.js";
import { useSession } from "./session.js";
import { account } from "./stores.js";
import { nameOf } from "./view.js";

/** The account's name, the one object of a singular store: shown, and edited in its place. */
export function AccountName({ user }: { readonly user: string }) {
  const store = useSession().store(account);
  const { record } = useSingular(account);
  const [draft, setDraft] = useState<string | null>(null);
  const [refusal, setRefusal] = useState("");
  const button = useRef<HTMLButtonElement>(null);
  const wasEditing = useRef(false);
  const isSaving = useRef(false);
  const problem = useId();
  const name = nameOf(record?.object);

  // Back to where the keyboard was.
  useEffect(() => {
    if (wasEditing.current && draft === null) button.current?.focus();
    wasEditing.current = draft !== null;
  }, [draft]);

  function cancel() {
    setDraft(null);
    setRefusal("");
  }

  async function save() {
    const wanted = draft?.trim() ?? "";
    if (!wanted || wanted === name) return cancel();
    if (isSaving.current) return; // leaving the input, which Enter ends, saves too
    isSaving.current = true;
    try {
      await store.set({ name: wanted });
      cancel();
    } catch (error) {
      setRefusal(reasonOf(error));
    } finally {
      isSaving.current = false;
    }
  }

  async function undo() {
    try {
      for (const { clientId } of await store.failed()) await store.discard(clientId);
    } catch {
      // Settled meanwhile, or signed out: the name shows how it stands.
    }
  }

  if (draft === null) {
    return (
      <div className="account">
        <button
          ref={button}
          type="button"
          className={`account-name ${record?.state ?? ""}`}
          onClick={() => setDraft(name)}
          aria-label={name ? `${name}: change your name` : `${user}: add your name`}
        >
          <span className="account-text">{name || user}</span>
          <PencilIcon />
        </button>
        {record?.state === "failed" && (
          <span className="account-problem" role="alert">
            Not saved: {reasonOf(record.error)}
            <button type="button" className="link" onClick={() => void undo()}>
              Undo
            </button>
          </span>
        )}
      </div>
    );
  }
  return (
    <form
      className="account"
      onSubmit={(event: FormEvent) => {
        event.preventDefault();
        void save();
      }}
    >
      <input
        className="account-input"
        aria-label="Your name"
        aria-invalid={refusal !== ""}
        aria-describedby={problem}
        value={draft}
        onChange={(event) => setDraft(event.target.value)}
        onKeyDown={(event: KeyboardEvent) => event.key === "Escape" && cancel()}
        onBlur={() => void save()}
        onFocus={(event) => event.target.select()}
        maxLength={100}
        autoComplete="name"
        autoFocus
      />
      <span id={problem} className="account-problem" role="alert">
        {refusal}
      </span>
    </form>
  );
}
