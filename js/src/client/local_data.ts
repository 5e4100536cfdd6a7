/** What a device holds of a user, from outside of a client. */
import { deleteIndexedDB } from "../storage/indexeddb.js";
import { databaseName } from "../storage/name.js";
import { socketUrl } from "./url.js";

/**
 * Deletes what this browser holds of one user at one server, for signing out: also pushes that
 * were not synced yet (`client.exportUnsynced()` has them). Close the client first; clients of
 * other tabs go on in memory, and store anew what they are sent.
 *
 * `where`: `url` and `user`, as the client has them. Rejects with a `StorageError`: `io` where the
 * browser refuses, `busy` when a page does not let go in time; the data goes then with that page.
 */
export async function deleteLocalData(
  where: { readonly url: string | URL; readonly user: string },
): Promise<void> {
  await deleteIndexedDB(databaseName(where.user, socketUrl(where.url)));
}
