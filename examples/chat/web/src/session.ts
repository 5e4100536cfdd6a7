import type { Client } from "syncdb/client";
import { useClient } from "syncdb/react";

/** The client of who is signed in: everything under `Chat` has one. */
export function useSession(): Client {
  const client = useClient();
  if (!client) throw new Error("nobody is signed in");
  return client;
}
