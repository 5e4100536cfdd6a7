// js/sort.js: puts a module's bytes into the order that src/core/sorted.ts describes. The compiled
// form of that is used here, and checked on what is given.
import { STREAMS, takeOperands, unsort } from "./dist/core/sorted.js";

const LOCAL = 2;

/** The number at `at`, 7 bits a byte, and where it ends. */
function numberAt(bytes, at) {
  let value = 0;
  for (let shift = 0; ; shift += 7) {
    const byte = bytes[at++];
    value |= (byte & 127) << shift;
    if (byte < 128) return [value, at];
  }
}

/** Where the content of the code section begins. */
function findCode(module) {
  for (let at = 8; ;) {
    const [size, content] = numberAt(module, at + 1);
    if (module[at] === 10) return content;
    at = content + size;
  }
}

export function sort(module) {
  const streams = Array.from({ length: STREAMS }, () => []);
  const code = findCode(module);
  let at = 0;
  let recent = [];
  const copy = (count) => {
    streams[0].push(...module.subarray(at, at + count));
    at += count;
  };
  const next = (stream) => {
    const [value, end] = numberAt(module, at);
    for (; at < end; at++) {
      let byte = module[at];
      if (stream === LOCAL) {
        byte = recent.indexOf(module[at]);
        recent.unshift(recent.splice(byte, 1)[0]);
      }
      streams[stream].push(byte);
    }
    return value;
  };

  copy(code);
  for (let functions = next(0); functions--;) {
    const size = next(0);
    const end = at + size;
    for (let locals = next(0); locals--;) next(0), copy(1);
    recent = Array.from({ length: 256 }, (_, i) => i);
    while (at < end) {
      const op = module[at++];
      streams[1].push(op);
      takeOperands(op, next, copy);
    }
  }
  copy(module.length - at);

  const header = new DataView(new ArrayBuffer((STREAMS + 1) * 4));
  [code, ...streams.slice(1).map(({ length }) => length), module.length]
    .forEach((number, i) => header.setUint32(i * 4, number, true));
  const sorted = Uint8Array.from([...new Uint8Array(header.buffer), ...streams.flat()]);
  if (!Buffer.from(unsort(sorted)).equals(module))
    throw new Error("js/sort.js: the module has an instruction that is not known here");
  return sorted;
}
