/** The one error that this package gives to an application, and the one place that makes it. */
import type { CoreError, ErrorCode } from "../core/core.js";

/** Why something was refused or failed; `code` is the protocol's word for it. */
export class SyncError extends Error {
  override readonly name = "SyncError";
  constructor(
    /** `invalid_object`, `rejected`, `not_found`, `closed`, ...: docs/protocol.md, section 4. */
    readonly code: ErrorCode,
    message: string,
    /** JSON Pointer to the member that is at fault, or "". */
    readonly path: string = "",
  ) {
    super(message);
  }
}

/** The error that a core, or another tab, told as plain data. */
export function toError({ code, message, path }: CoreError): SyncError {
  return new SyncError(code, message, path);
}

/** What was thrown, for people. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
