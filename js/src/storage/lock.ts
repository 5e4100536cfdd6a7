/**
 * One process at a time at a file: each that wants it puts a file of its own beside it,
 * PATH.lock-PID-START-RANDOM, and has it when it then finds none of a process that lives. Of two
 * that come at the same moment, the later one sees the other's.
 *
 * Processes of other machines or containers are not seen.
 */
import { randomUUID } from "node:crypto";
import { readFile, readdir, realpath, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { StorageError } from "../core/storage.js";

/** Tries, for two that come at the same moment may both see the other. */
const TRIES = 4;

/** When a process began (where the system tells: ids are used again), or "dead". */
async function startOf(pid: number): Promise<string> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, "latin1");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" ? "dead" : (fields[19] ?? "");
  } catch {
    return "";
  }
}

async function isAlive(pid: number, start: string): Promise<boolean> {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return false;
  }
  const now = await startOf(pid);
  return now !== "dead" && (now === "" || start === "" || now === start);
}

/** The process that holds the file, if there is one; the locks of dead ones are taken away. */
async function findHolder(folder: string, prefix: string, own: string): Promise<number | null> {
  for (const name of await readdir(folder)) {
    if (!name.startsWith(prefix) || name === own) continue;
    const [, pid, start] = /^(\d{1,10})-(\d*)-/.exec(name.slice(prefix.length)) ?? [];
    if (pid === undefined || start === undefined) continue;
    if (await isAlive(Number(pid), start)) return Number(pid);
    await rm(join(folder, name), { force: true });
  }
  return null;
}

/**
 * Locks `path` for this process; gives what unlocks it. Also what another opening in this process
 * holds is locked.
 *
 * @throws StorageError `busy`: a process that lives has it; it says which.
 */
export async function lock(path: string): Promise<() => Promise<void>> {
  const folder = await realpath(dirname(resolve(path)));
  const prefix = `${basename(path)}.lock-`;
  const own = `${prefix}${process.pid}-${await startOf(process.pid)}-${randomUUID()}`;
  const unlock = () => rm(join(folder, own), { force: true });
  for (let tries = 1; ; tries++) {
    await writeFile(join(folder, own), "", { flag: "wx", mode: 0o600 });
    let holder: number | null;
    try {
      holder = await findHolder(folder, prefix, own);
    } catch (error) {
      await unlock();
      throw error;
    }
    if (holder === null) return unlock;
    await unlock();
    if (tries === TRIES) {
      const who = holder === process.pid ? "this process" : `process ${holder}`;
      throw new StorageError("busy", `${path} is in use by ${who}`);
    }
    await delay(Math.random() * 20 * tries);
  }
}
