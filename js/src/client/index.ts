/** `syncdb/client`: a user's objects on this device, here at once, offline too. */
export type * from "./api.js";
export { SyncError } from "./error.js";
