/**
 * The module's bytes in another order (js/sort.js makes it), in which they deflate to a tenth less:
 * instructions apart from their operands, and those by their kinds, for like compresses with like.
 *
 *   9 numbers, 4 bytes each   how many bytes stand before the code section's content; the sizes of
 *                             the streams 1 to 7; the size of the module
 *   stream 0                  all outside of functions, then sizes and locals of functions
 *   streams 1 to 7            instructions; their operands, by kinds: `takeOperands`
 *
 * Local variables go by how many others were used since they were: 0 is the last one again.
 */

/** Streams by name. */
const [REST, OP, LOCAL, CONST, OFFSET, LABEL, CALL, BLOCK] = [0, 1, 2, 3, 4, 5, 6, 7];
export const STREAMS = 8;

/**
 * Goes over the operands of an instruction: `next` takes a number of a stream, and gives it, for it
 * may say how many follow; `copy` takes so many bytes of stream 0.
 */
export function takeOperands(
  op: number, next: (stream: number) => number, copy: (count: number) => void,
): void {
  if (op >= 0x20 && op <= 0x22) next(LOCAL);
  else if (op >= 0x28 && op <= 0x3e) next(OP), next(OFFSET);
  else if (op === 0x41 || op === 0x42) next(CONST);
  else if (op === 0x10) next(CALL);
  else if (op === 0x11) next(CALL), next(CALL);
  else if (op === 0x0c || op === 0x0d) next(LABEL);
  else if (op === 0x0e) for (let more = next(LABEL); more >= 0; more--) next(LABEL);
  else if (op === 0x23 || op === 0x24 || op === 0x3f || op === 0x40) next(OP);
  else if (op >= 2 && op <= 4) next(BLOCK);
  else if (op === 0x44) copy(8);
  else if (op === 0xfc) {
    const kind = next(OP);
    if (kind > 9) for (let more = 12 - kind; more--;) next(OP);
  }
}

/** The module of its sorted bytes. */
export function unsort(sorted: Uint8Array): Uint8Array<ArrayBuffer> {
  const numbers = new DataView(sorted.buffer, sorted.byteOffset);
  const header = (i: number) => numbers.getUint32(i * 4, true);
  const module = new Uint8Array(header(STREAMS));
  const at = [(STREAMS + 1) * 4];
  let start = sorted.length;
  for (let stream = STREAMS; --stream;) at[stream] = start -= header(stream);
  let size = 0;
  let recent = new Uint8Array();

  const copy = (count: number) => {
    module.set(sorted.subarray(at[REST]!, (at[REST]! += count)), size);
    size += count;
  };
  /** Copies a number of 7 bits a byte; gives it. */
  const next = (stream: number): number => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      let byte = sorted[at[stream]!++]!;
      if (stream === LOCAL) {
        const place = byte;
        byte = recent[place]!;
        recent.copyWithin(1, 0, place)[0] = byte;
      }
      module[size++] = byte;
      value |= (byte & 127) << shift;
      if (byte < 128) return value;
    }
  };

  copy(header(0));
  for (let functions = next(REST); functions--;) {
    const end = next(REST) + size;
    for (let locals = next(REST); locals--;) next(REST), copy(1);
    recent = Uint8Array.from({ length: 256 }, (_, i) => i);
    while (size < end) takeOperands((module[size++] = sorted[at[OP]!++]!), next, copy);
  }
  copy(module.length - size);
  return module;
}
