/** `syncdb/client`: a user's objects on this device, here at once, offline too. */
export type * from "./api.js";
export { createClient } from "./client.js";
export { SyncError } from "./error.js";
export { deleteLocalData } from "./local_data.js";
