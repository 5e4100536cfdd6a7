/** `syncdb/node`: what a client in Node can use besides `syncdb/client`. */
export { fileStorage } from "./storage/file.js";
export { StorageError, type DeviceStorage, type StorageFactory } from "./core/storage.js";
