/**
 * The text of a file of the device's storage: lines, each the CRC-32 of what follows in eight hex
 * digits, a blank, and JSON. The first says what the file is, each later one is a commit's writes:
 *
 *     ["syncdb device", 1, "the database's name"]
 *     [["put", "objects", ["chat", "..."], {...}], ...]
 *
 * A line that was not written whole, or not as it was, does not match its sum.
 */
import type { FileHandle } from "node:fs/promises";
import { crc32 } from "node:zlib";
import { TABLES, type Write } from "./tables.js";

const KIND = "syncdb device";
export const FILE_FORMAT = 1;
const SUM_LENGTH = 9;
const READ_SIZE = 1 << 20;

export interface Header {
  readonly format: number;
  readonly name: string;
}

/** `value` as a line. */
export function lineOf(value: unknown): Buffer {
  const text = Buffer.from(JSON.stringify(value));
  const sum = crc32(text).toString(16).padStart(8, "0");
  return Buffer.concat([Buffer.from(`${sum} `), text, Buffer.from("\n")]);
}

export function headerLine(name: string): Buffer {
  return lineOf([KIND, FILE_FORMAT, name]);
}

/** What a line (without its end) holds; `undefined`: it is not as it was written. */
function valueOf(line: Buffer): unknown {
  const text = line.subarray(SUM_LENGTH);
  const sum = line.toString("latin1", 0, SUM_LENGTH);
  if (sum !== `${crc32(text).toString(16).padStart(8, "0")} `) return undefined;
  try {
    return JSON.parse(text.toString());
  } catch {
    return undefined;
  }
}

/** What the first line says; `undefined`: it is none of ours. */
export function headerOf(line: Buffer): Header | undefined {
  const value = valueOf(line);
  if (!Array.isArray(value) || value[0] !== KIND) return undefined;
  const [, format, name] = value as unknown[];
  return typeof format === "number" && typeof name === "string" ? { format, name } : undefined;
}

const isText = (value: unknown) => typeof value === "string";
const isObject = (value: unknown) => typeof value === "object" && value !== null;
const isTable = (value: unknown) => (TABLES as readonly unknown[]).includes(value);

function isWrite(value: unknown): value is Write {
  if (!Array.isArray(value)) return false;
  const [kind, at, key, row] = value as unknown[];
  if (kind === "only") return Array.isArray(at) && at.every(isText);
  if (!isTable(at)) return false;
  if (kind === "clear") return isText(key);
  const isKey = Array.isArray(key) && key.length === 2 && key.every(isText);
  const isRow = at === "meta" ? isText(row) : isObject(row);
  return isKey && (kind === "drop" || (kind === "put" && isRow));
}

/** The writes of a later line; `undefined`: it is damaged. */
export function writesOf(line: Buffer): readonly Write[] | undefined {
  const value = valueOf(line);
  return Array.isArray(value) && value.every(isWrite) ? value : undefined;
}

/** The lines of a file and where each ends, its end included; what follows the last is none. */
export async function* readLines(handle: FileHandle): AsyncGenerator<[line: Buffer, end: number]> {
  let rest: Buffer[] = [];
  let position = 0;
  for (;;) {
    const { buffer, bytesRead } = await handle.read(
      Buffer.allocUnsafe(READ_SIZE), 0, READ_SIZE, position);
    if (bytesRead === 0) return;
    let from = 0;
    for (;;) {
      const to = buffer.subarray(0, bytesRead).indexOf("\n", from);
      if (to < 0) break;
      const piece = buffer.subarray(from, to);
      yield [rest.length > 0 ? Buffer.concat([...rest, piece]) : piece, position + to + 1];
      rest = [];
      from = to + 1;
    }
    if (from < bytesRead) rest.push(buffer.subarray(from, bytesRead));
    position += bytesRead;
  }
}
