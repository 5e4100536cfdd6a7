/** The end of the process: what is open is closed, unless a signal or a crash ends it. */

const open = new Map<object, () => void>();

function closeAll(): void {
  for (const close of open.values()) {
    try {
      close();
    } catch (error) {
      console.error("syncdb: closing failed:", error);
    }
  }
  open.clear();
}

/** Has `close` called when the process, or the worker thread, exits. */
export function closeAtExit(owner: object, close: () => void): void {
  if (open.size === 0) process.on("exit", closeAll);
  open.set(owner, close);
}

/** It was closed before. */
export function forgetAtExit(owner: object): void {
  open.delete(owner);
  if (open.size === 0) process.off("exit", closeAll);
}
