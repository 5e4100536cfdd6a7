// A disk of a test's own, small enough to be filled.
import { spawnSync } from 'node:child_process';
import { cleanup } from './cleanup.mjs';
import { temporaryFolder } from './server.mjs';

/** A folder on a file system of 8 MiB, or null where this user may not mount one. */
export function smallDisk(t) {
  const folder = temporaryFolder(t);
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', folder]);
  if (mounted.status !== 0) return null;
  cleanup(t, () => spawnSync('umount', ['-l', folder]));
  return folder;
}
