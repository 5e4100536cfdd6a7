/* frames_fuzz.c: WebSocket frames of both senders, split anywhere: what is received does not depend
 * on how the bytes arrive.
 *
 *   byte 0   bit 0: a server is the sender; bit 1: compressed messages are allowed; bit 2: the rest
 *            is a program (below), not the bytes; bits 4 to 6: how large a message may be
 *   byte 1   where the bytes are split
 *
 * A program is frames, each of three bytes and its payload: opcode (bits 0 to 3), FIN (bit 7), RSV1
 * (bit 6); how many bytes of payload; the first byte of the mask. They are written as our sender
 * does. Where they keep to the protocol, what is received must be just what was sent.
 *
 * With SYNCDB_CANARY the receiver has a defect (`spoil`), which a fuzzer that works soon finds.
 */
#include "fuzz.h"
#include "ws/receive.h"
#include "json/json.h"

#define BYTES_MAX ((size_t)1 << 16)

/* Events, one behind the other: kind, code, compressed, size, data. */
typedef struct record {
  char text[4 * BYTES_MAX];
  size_t size;
  bool ended;
} record;

typedef struct session {
  sdb_ws_sender sender;
  bool compressed;
  size_t message_max;
} session;

static void put(record *to, const void *bytes, size_t size) {
  REQUIRE(size <= sizeof(to->text) - to->size);
  if (size) memcpy(to->text + to->size, bytes, size);
  to->size += size;
}

static void put_event(record *to, sdb_ws_event_kind kind, unsigned code, bool compressed,
    const char *data, size_t size) {
  unsigned head[] = {(unsigned)kind, code, compressed, (unsigned)size};
  put(to, head, sizeof(head));
  put(to, data, size);
}

#ifdef SYNCDB_CANARY
/* The last byte is lost of one kind of event, only where three more things come together. */
static void spoil(sdb_ws_event *event, bool in_pieces) {
  if (event->kind != SDB_WS_PONGED || !in_pieces) return;
  if (event->size > 0 && event->data[0] == '!') event->size--;
}
#else
static void spoil(sdb_ws_event *event, bool in_pieces) {
  (void)event;
  (void)in_pieces;
}
#endif

static void take_event(const session *s, record *to, const sdb_ws_event *event) {
  REQUIRE(!to->ended && event->data);
  bool is_end = event->kind == SDB_WS_FAILED || event->kind == SDB_WS_PEER_CLOSED;
  if (event->kind == SDB_WS_MESSAGE) {
    REQUIRE(event->size <= s->message_max && (s->compressed || !event->compressed));
    if (!event->compressed) REQUIRE(sdb_utf8_valid(sdb_slice_make(event->data, event->size)));
  } else if (event->kind == SDB_WS_PINGED || event->kind == SDB_WS_PONGED) {
    REQUIRE(event->size <= SDB_WS_CONTROL_MAX);
  }
  if (event->kind == SDB_WS_PEER_CLOSED && event->code != SDB_WS_CODE_NONE)
    REQUIRE(sdb_ws_close_code_valid(event->code));
  to->ended = is_end;
  put_event(to, event->kind, is_end ? event->code : 0, !is_end && event->compressed, event->data,
      event->kind == SDB_WS_FAILED ? 0 : event->size);
}

/* `step` 0: all at once; otherwise pieces of 1 to `step` bytes, drawn from it. */
static void receive(const session *s, sdb_slice bytes, unsigned step, record *to) {
  fuzz_memory memory;
  fuzz_memory_init(&memory, 4 * (s->message_max + BYTES_MAX));
  sdb_ws_receiver receiver;
  sdb_ws_receiver_init(&receiver, s->sender, &memory.mem, s->message_max, s->compressed);
  to->size = 0;
  to->ended = false;
  uint32_t dice = step;
  for (size_t at = 0; at < bytes.size;) {
    size_t left = bytes.size - at, size = left;
    dice = dice * 1664525u + 1013904223u;
    if (step) size = 1 + (dice >> 16) % step;
    if (size > left) size = left;
    char *piece = fuzz_copy(sdb_slice_make(bytes.data + at, size));
    sdb_ws_input input = {piece, size};
    sdb_ws_event event;
    while (sdb_ws_receive(&receiver, &input, &event)) {
      spoil(&event, step != 0);
      take_event(s, to, &event);
    }
    REQUIRE(input.size == 0);
    free(piece);
    at += size;
  }
  sdb_ws_receiver_free(&receiver);
  fuzz_memory_end(&memory);
}

static void require_same(const record *a, const record *b) {
  REQUIRE(a->size == b->size && a->ended == b->ended);
  REQUIRE(memcmp(a->text, b->text, a->size) == 0);
}

/* ---- programs ---- */

/* The frames that were written, and what they mean as long as they keep to the protocol. */
typedef struct written {
  char bytes[BYTES_MAX];
  size_t size;
  char message[BYTES_MAX];
  size_t message_size;
  bool in_message, compressed, broken;
  record meant;
} written;

static void write_frame(
    const session *s, written *w, unsigned first, sdb_slice payload, uint8_t m) {
  unsigned char header[SDB_WS_MASKED_HEADER_MAX], key[SDB_WS_MASK_SIZE] = {m, 7, 0, 255};
  size_t size = s->sender == SDB_WS_FROM_CLIENT
                    ? sdb_ws_masked_header(SDB_WS_TEXT, payload.size, key, header)
                    : sdb_ws_frame_header_of(SDB_WS_TEXT, false, payload.size, header);
  header[0] = (unsigned char)first;
  memcpy(w->bytes + w->size, header, size);
  w->size += size;
  if (s->sender == SDB_WS_FROM_CLIENT)
    sdb_ws_mask(w->bytes + w->size, payload.data, payload.size, key, 0);
  else if (payload.size)
    memcpy(w->bytes + w->size, payload.data, payload.size);
  w->size += payload.size;
}

static void mean_data(const session *s, written *w, unsigned first, sdb_slice payload) {
  bool begins = (first & 15) == SDB_WS_TEXT;
  w->broken |= begins == w->in_message || ((first & 0x40) && !(begins && s->compressed));
  if (begins) {
    w->message_size = 0;
    w->compressed = (first & 0x40) != 0;
  }
  if (payload.size) memcpy(w->message + w->message_size, payload.data, payload.size);
  w->message_size += payload.size;
  w->broken |= w->message_size > s->message_max;
  w->in_message = !(first & 0x80);
  if (w->in_message || w->broken) return;
  if (!w->compressed && !sdb_utf8_valid(sdb_slice_make(w->message, w->message_size)))
    w->broken = true;
  else
    put_event(&w->meant, SDB_WS_MESSAGE, 0, w->compressed, w->message, w->message_size);
}

static void mean(const session *s, written *w, unsigned first, sdb_slice payload) {
  unsigned opcode = first & 15;
  if (opcode == SDB_WS_TEXT || opcode == SDB_WS_CONTINUATION) {
    mean_data(s, w, first, payload);
  } else if ((opcode == SDB_WS_PING || opcode == SDB_WS_PONG) && (first & 0xC0) == 0x80 &&
             payload.size <= SDB_WS_CONTROL_MAX) {
    put_event(&w->meant, opcode == SDB_WS_PING ? SDB_WS_PINGED : SDB_WS_PONGED, 0, false,
        payload.data, payload.size);
  } else {
    w->broken = true; /* or a close: nothing follows either */
  }
}

static sdb_slice run_program(const session *s, fuzz_input *in, written *w) {
  while (in->size > 0 && w->size < BYTES_MAX / 2) {
    unsigned first = fuzz_byte(in) & 0xCF, size = fuzz_byte(in);
    uint8_t mask = fuzz_byte(in);
    sdb_slice payload = fuzz_bytes(in, size);
    write_frame(s, w, first, payload, mask);
    if (!w->broken) mean(s, w, first, payload);
  }
  return sdb_slice_make(w->bytes, w->size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static record whole, split;
  static written w;
  if (size > BYTES_MAX / 2) return 0;
  fuzz_input in = {data, size};
  unsigned flags = fuzz_byte(&in), step = fuzz_byte(&in);
  session s = {flags & 1 ? SDB_WS_FROM_SERVER : SDB_WS_FROM_CLIENT, flags & 2,
      (size_t)8 << (flags >> 4 & 7)};
  bool is_program = flags & 4;
  w.size = w.message_size = w.meant.size = 0;
  w.in_message = w.compressed = w.broken = false;
  sdb_slice bytes = is_program ? run_program(&s, &in, &w) : fuzz_bytes(&in, in.size);
  receive(&s, bytes, 0, &whole);
  receive(&s, bytes, 1, &split);
  require_same(&whole, &split);
  receive(&s, bytes, step + 2, &split);
  require_same(&whole, &split);
  if (!is_program) return 0;
  REQUIRE(whole.size >= w.meant.size && memcmp(whole.text, w.meant.text, w.meant.size) == 0);
  REQUIRE(w.broken || (whole.size == w.meant.size && !whole.ended));
  return 0;
}
