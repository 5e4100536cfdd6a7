/**
 * Who is signed in: `?user=` of the tab's address, else who was last, in the browser's storage. So
 * tabs may have users of their own, and a new one goes on where the last was.
 */
const LAST = "chat.user";
const SIGNED_OUT = "chat.signedOut";

/** Storage may be refused: then the address alone says it. */
function attempt<Result>(action: () => Result): Result | undefined {
  try {
    return action();
  } catch {
    return undefined;
  }
}

/** Says in the tab's address who is signed in; `null`: nobody. */
export function setAddress(user: string | null): void {
  const address = new URL(location.href);
  if (user === null) address.searchParams.delete("user");
  else address.searchParams.set("user", user);
  history.replaceState(null, "", address);
}

export function currentUser(): string | null {
  const named = new URLSearchParams(location.search).get("user")?.trim();
  return named || attempt(() => localStorage.getItem(LAST)) || null;
}

export function rememberUser(user: string): void {
  setAddress(user);
  attempt(() => localStorage.setItem(LAST, user));
}

/** Signs this and the user's other tabs out. */
export function forgetUser(user: string): void {
  setAddress(null);
  attempt(() => {
    localStorage.removeItem(LAST);
    localStorage.setItem(SIGNED_OUT, JSON.stringify({ user, at: Date.now() }));
  });
}

/** Calls `listener` with whom another tab signed out. */
export function onSignedOut(listener: (user: string) => void): void {
  addEventListener("storage", ({ key, newValue }) => {
    if (key !== SIGNED_OUT || !newValue) return;
    const told: unknown = attempt(() => JSON.parse(newValue));
    if (typeof told === "object" && told && "user" in told) listener(String(told.user));
  });
}
