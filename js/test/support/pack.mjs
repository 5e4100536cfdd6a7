// The package as npm ships it, installed into a folder that has nothing else.
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const at = (path) => fileURLToPath(new URL(path, import.meta.url));
const json = (path) => JSON.parse(readFileSync(path, "utf8"));

/** Runs a program in a folder. Gives its output; rejects with it where it fails, or hangs. */
export async function runIn(folder, program, ...options) {
  const how = { cwd: folder, timeout: 240_000 };
  const { stdout } = await promisify(execFile)(program, options, how);
  return stdout;
}

/** Packs into a folder. Gives what npm says of the tarball: `filename`, `files`. */
export async function pack(folder) {
  const options = ["pack", "--json", "--pack-destination", folder];
  const told = JSON.parse(await runIn(at("../.."), "npm", ...options));
  return Array.isArray(told) ? told[0] : Object.values(told)[0];
}

/**
 * Installs a tarball that lies in `folder` there, with other packages of the workspace: all in the
 * versions that the workspace has, so that npm finds them in its cache and asks no registry.
 */
export async function install(folder, tarball, others, ...options) {
  const locked = json(at("../../../package-lock.json")).packages;
  const manifest = json(at("../../package.json"));
  const packages = {};
  const add = (name) => {
    if (packages[`node_modules/${name}`]) return;
    const { dev, peer, optional, devOptional, ...entry } = locked[`node_modules/${name}`];
    packages[`node_modules/${name}`] = entry;
    Object.keys(entry.dependencies ?? {}).forEach(add);
  };
  [...others, ...Object.keys(manifest.dependencies)].forEach(add);
  const digest = createHash("sha512").update(readFileSync(join(folder, tarball))).digest("base64");
  const { version, dependencies, peerDependencies, peerDependenciesMeta } = manifest;
  packages["node_modules/syncdb"] = {
    version, resolved: `file:${tarball}`, integrity: `sha512-${digest}`, hasInstallScript: true,
    dependencies, peerDependencies, peerDependenciesMeta,
  };
  const root = { name: "empty", version: "1.0.0", dependencies: { syncdb: `file:${tarball}` } };
  for (const name of others) root.dependencies[name] = packages[`node_modules/${name}`].version;
  const lock = { ...root, lockfileVersion: 3, requires: true, packages: { "": root, ...packages } };
  const write = (name, value) => writeFileSync(join(folder, name), JSON.stringify(value, null, 2));
  write("package.json", { ...root, private: true, type: "module" });
  write("package-lock.json", lock);
  await runIn(folder, "npm", "ci", "--prefer-offline", "--no-audit", "--no-fund", ...options);
}
