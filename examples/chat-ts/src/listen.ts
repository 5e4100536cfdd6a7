/** What both servers do: serve the page and the devices, and end in order. */
import { fileURLToPath } from "node:url";
import type { Database } from "syncdb/server";

/** Listens on 127.0.0.1, on the port of the environment or 8080, until it is told to end. */
export async function listen(db: Database): Promise<void> {
  const { port } = await db.listen({
    port: Number(process.env["PORT"] ?? 8080),
    devAuth: true, // believes ?user=NAME: for trying out, on loopback only
    pages: fileURLToPath(new URL("page", import.meta.url)),
  });
  for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => void db.close());
  console.log(`listening on ws://127.0.0.1:${port}`);
  console.log(`Open http://127.0.0.1:${port} in as many tabs as you like. Ctrl-C ends it.`);
}
