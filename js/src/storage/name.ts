/** How the local database of a user at a server is called. */

/**
 * The name of the local database of one user at one server.
 *
 * @param url The server's WebSocket URL: its origin and path count, its query (tokens) does not.
 * @throws TypeError when the URL is none.
 */
export function databaseName(user: string, url: string | URL): string {
  const { protocol, host, pathname } = new URL(url);
  return `syncdb ${protocol}//${host}${pathname} ${user}`;
}
