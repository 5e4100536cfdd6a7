import type { Ref } from "react";
import { useId } from "react";
import { useStatus } from "syncdb/react";

interface SignOutDialogProps {
  readonly ref: Ref<HTMLDialogElement>;
  readonly user: string;
  readonly onSignOut: (clear: boolean) => Promise<void>;
}

function unsentWarning(count: number): string {
  const words = count === 1 ? "1 change was" : `${count} changes were`;
  return `${words} not sent yet. Clearing this device loses them.`;
}

/** Leaves, with or without what this browser keeps. */
export function SignOutDialog({ ref, user, onSignOut }: SignOutDialogProps) {
  const { pending, failed } = useStatus();
  const title = useId();
  const unsent = pending + failed;

  return (
    <dialog ref={ref} className="dialog" aria-labelledby={title}>
      <form method="dialog">
        <h2 id={title}>Sign out of {user}?</h2>
        <p>
          This device keeps a copy of the messages, for the next time. Clear it where others use
          this browser too.
        </p>
        {unsent > 0 && <p className="dialog-warning">{unsentWarning(unsent)}</p>}
        <div className="dialog-buttons">
          <button className="primary" onClick={() => void onSignOut(false)}>
            Sign out
          </button>
          <button className="danger" onClick={() => void onSignOut(true)}>
            Sign out and clear this device
          </button>
          <button className="quiet">Stay</button>
        </div>
      </form>
    </dialog>
  );
}
