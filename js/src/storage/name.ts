/** How the local database of a user at a server is called. */
import { socketUrl } from "../client/url.js";

/**
 * The name of the local database of one user at one server.
 *
 * @param url The server's, as `createClient` takes it: its origin and path count, its query does
 *   not.
 * @throws SyncError `invalid_argument` when it is none.
 */
export function databaseName(user: string, url: string | URL): string {
  const { protocol, host, pathname } = socketUrl(url);
  return `syncdb ${protocol}//${host}${pathname} ${user}`;
}
