/** Why something failed, in words for people. */
const WORDS: { readonly [code: string]: string } = {
  unavailable: "the server did not answer in time",
  rate_limited: "too many at once",
  too_large: "it is too long",
  limit: "too much is waiting to be sent",
  unauthorized: "you are not signed in",
  io: "this browser cannot store it",
};

/** The message of a rule is for people already. */
export function reasonOf(error: unknown): string {
  if (typeof error !== "object" || !error) return String(error ?? "unknown");
  const { code, message } = error as { readonly code?: string; readonly message?: string };
  if (code === "rejected" && message) return message;
  return WORDS[code ?? ""] ?? message ?? "unknown";
}
