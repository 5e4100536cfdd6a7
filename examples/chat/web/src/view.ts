/**
 * What is shown of objects. A device shows what its server has, which may be of a newer version
 * than this page: so members are looked at before they are used.
 */
import type { SyncObject } from "syncdb/client";
import type { Account, ChatMessage } from "./stores.js";

const textOf = (value: unknown): string => (typeof value === "string" ? value : "");

export const isOwn = (object: ChatMessage): boolean => object.role === "user";
export const contentOf = (object: ChatMessage): string => textOf(object.content);
export const nameOf = (object: Account | undefined): string => textOf(object?.name);

/** When it was made, in ms since the epoch, as a time that there is. */
export function timeOf({ $createdAt }: SyncObject<object>): number {
  const ms = Number($createdAt);
  return Number.isNaN(new Date(ms).getTime()) ? 0 : ms;
}
