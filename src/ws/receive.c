/* ws/receive.c: the frame reader (RFC 6455 sections 5 and 7, RFC 7692 section 6).
 *
 * A frame:
 *   byte 0   FIN RSV1 RSV2 RSV3 opcode(4)
 *   byte 1   MASK length(7); 126: 2 bytes of length follow, 127: 8 bytes, shortest form only
 *   4 bytes  masking key: a client's frame always has it, a server's never
 *   payload  a client's is XORed with the key
 *
 * Invariants: `header_size` bytes of an incomplete header are kept, none once
 * `in_payload`; `message` has content only while a message is incomplete;
 * a control frame may come between the frames of a message and so has a place
 * of its own. What breaks the protocol is refused at the first byte that shows it.
 */
#include "ws/receive.h"
#include "base/planted.h"
#include "ws/utf8.h"

#define FIN 0x80
#define RSV1 0x40
#define RSV2_RSV3 0x30
#define MASK 0x80
#define LENGTH_16 126
#define LENGTH_64 127

void sdb_ws_receiver_init(sdb_ws_receiver *receiver, sdb_ws_sender sender, const sdb_mem *mem,
    size_t message_bytes_max, bool allow_compressed) {
  memset(receiver, 0, sizeof(*receiver));
  receiver->mask_bit = sender == SDB_WS_FROM_CLIENT ? MASK : 0;
  sdb_buffer_init(&receiver->message, mem, message_bytes_max);
  receiver->allow_compressed = allow_compressed;
}

void sdb_ws_receiver_free(sdb_ws_receiver *receiver) {
  sdb_buffer_free(&receiver->message);
}

static bool is_control(unsigned opcode) {
  return opcode >= SDB_WS_CLOSE;
}

static bool fail(sdb_ws_receiver *receiver, sdb_ws_event *event, unsigned code) {
  receiver->ended = true;
  sdb_buffer_free(&receiver->message);
  *event = (sdb_ws_event){.kind = SDB_WS_FAILED, .data = receiver->control, .code = code};
  return true;
}

/* What the first two bytes of a frame say: 0, or the code to close with. */
static unsigned check_start(const sdb_ws_receiver *receiver, const unsigned char *header) {
  unsigned opcode = header[0] & 0x0F, length = header[1] & 0x7F;
  if ((header[0] & RSV2_RSV3) || (header[1] & MASK) != receiver->mask_bit)
    return SDB_WS_CODE_PROTOCOL;
  bool begins = opcode == SDB_WS_TEXT || opcode == SDB_WS_BINARY;
  if ((header[0] & RSV1) && !(begins && receiver->allow_compressed)) return SDB_WS_CODE_PROTOCOL;
  switch (opcode) {
  case SDB_WS_TEXT:
  case SDB_WS_BINARY:
    if (receiver->in_message) return SDB_WS_CODE_PROTOCOL;
    return opcode == SDB_WS_TEXT ? 0 : SDB_WS_CODE_UNSUPPORTED;
  case SDB_WS_CONTINUATION:
    return receiver->in_message ? 0 : SDB_WS_CODE_PROTOCOL;
  case SDB_WS_CLOSE:
  case SDB_WS_PING:
  case SDB_WS_PONG:
    return (header[0] & FIN) && length <= SDB_WS_CONTROL_MAX ? 0 : SDB_WS_CODE_PROTOCOL;
  default:
    return SDB_WS_CODE_PROTOCOL;
  }
}

/* How many bytes of length stand behind these two bytes, and how many the whole header has. */
static size_t length_size(const unsigned char *header) {
  unsigned length = header[1] & 0x7F;
  return length < LENGTH_16 ? 0 : length == LENGTH_16 ? 2 : 8;
}

static size_t header_size(const unsigned char *header) {
  return 2 + length_size(header) + ((header[1] & MASK) ? SDB_WS_MASK_SIZE : 0);
}

/* Takes a complete, checked header over: 0, or the code to close with. */
static unsigned begin_frame(sdb_ws_receiver *receiver, const unsigned char *header) {
  size_t extended = length_size(header);
  uint64_t length = header[1] & 0x7F;
  if (extended > 0) {
    length = 0;
    for (size_t i = 0; i < extended; i++)
      length = length << 8 | header[2 + i];
    if (length < (extended == 2 ? LENGTH_16 : (uint64_t)UINT16_MAX + 1) || length >> 63)
      return SDB_WS_CODE_PROTOCOL;
  }
  unsigned opcode = header[0] & 0x0F;
  if (!is_control(opcode)) {
    if (length > receiver->message.size_max - receiver->message.size) return SDB_WS_CODE_TOO_LARGE;
    if (opcode != SDB_WS_CONTINUATION) receiver->compressed = (header[0] & RSV1) != 0;
    receiver->in_message = true;
  }
  receiver->opcode = (uint8_t)opcode;
  receiver->fin = (header[0] & FIN) != 0;
  receiver->frame_left = length;
  receiver->mask_phase = 0;
  if (receiver->mask_bit) memcpy(receiver->mask, header + 2 + extended, SDB_WS_MASK_SIZE);
  receiver->in_payload = true;
  receiver->header_size = 0;
  receiver->control_size = 0;
  return 0;
}

/* Reads the header. True: `in_payload` now, or `*code` is set; false: more input is needed. */
static bool take_header(sdb_ws_receiver *receiver, sdb_ws_input *input, unsigned *code) {
  const unsigned char *header = (const unsigned char *)input->data;
  size_t had = receiver->header_size, have = input->size;
  if (had > 0) {
    have = sizeof(receiver->header) - had < have ? sizeof(receiver->header) - had : have;
    memcpy(receiver->header + had, input->data, have);
    header = receiver->header;
    have += had;
  }
  size_t size = 2;
  if (have >= 2) {
    *code = check_start(receiver, header);
    if (*code) return true;
    size = header_size(header);
  }
  if (have < size) {
    if (had == 0) memcpy(receiver->header, input->data, have);
    receiver->header_size = (uint8_t)have;
    input->data += input->size;
    input->size = 0;
    return false;
  }
  input->data += size - had;
  input->size -= size - had;
  *code = begin_frame(receiver, header);
  return true;
}

static bool end_message(sdb_ws_receiver *receiver, char *data, size_t size, sdb_ws_event *event) {
  receiver->in_message = false;
  if (!receiver->compressed && !sdb_ws_utf8_valid(sdb_slice_make(data, size)))
    return fail(receiver, event, SDB_WS_CODE_BAD_TEXT);
  *event = (sdb_ws_event){
      .kind = SDB_WS_MESSAGE, .data = data, .size = size, .compressed = receiver->compressed};
  return true;
}

static bool end_close(sdb_ws_receiver *receiver, char *data, size_t size, sdb_ws_event *event) {
  unsigned code = SDB_WS_CODE_NONE;
  if (size > 0) {
    if (size == 1) return fail(receiver, event, SDB_WS_CODE_PROTOCOL);
    code = (unsigned)(unsigned char)data[0] << 8 | (unsigned char)data[1];
    if (!sdb_ws_close_code_valid(code)) return fail(receiver, event, SDB_WS_CODE_PROTOCOL);
    if (!sdb_ws_utf8_valid(sdb_slice_make(data + 2, size - 2)))
      return fail(receiver, event, SDB_WS_CODE_BAD_TEXT);
    data += 2;
    size -= 2;
  }
  receiver->ended = true;
  sdb_buffer_free(&receiver->message);
  *event = (sdb_ws_event){.kind = SDB_WS_PEER_CLOSED, .data = data, .size = size, .code = code};
  return true;
}

static bool end_control(sdb_ws_receiver *receiver, char *data, size_t size, sdb_ws_event *event) {
  if (receiver->opcode == SDB_WS_CLOSE) return end_close(receiver, data, size, event);
  sdb_ws_event_kind kind = receiver->opcode == SDB_WS_PING ? SDB_WS_PINGED : SDB_WS_PONGED;
  *event = (sdb_ws_event){.kind = kind, .data = data, .size = size};
  return true;
}

/* A part of a control frame that may be its last. */
static bool control_part(sdb_ws_receiver *receiver, char *data, size_t size, sdb_ws_event *event) {
  bool last = receiver->frame_left == 0;
  if (last && receiver->control_size == 0) return end_control(receiver, data, size, event);
  SDB_ASSERT(receiver->control_size + size <= sizeof(receiver->control));
  memcpy(receiver->control + receiver->control_size, data, size);
  receiver->control_size = (uint8_t)(receiver->control_size + size);
  return last && end_control(receiver, receiver->control, receiver->control_size, event);
}

/* A part of a data frame that may be the message's last. */
static bool data_part(sdb_ws_receiver *receiver, char *data, size_t size, sdb_ws_event *event) {
  bool last = receiver->frame_left == 0 && receiver->fin;
  if (last && receiver->message.size == 0) return end_message(receiver, data, size, event);
  sdb_buffer_append(&receiver->message, data, size);
  if (receiver->message.status != SDB_OK) return fail(receiver, event, SDB_WS_CODE_OVERLOADED);
  if (!last) return false;
  receiver->free_message = true;
  return end_message(receiver, receiver->message.data, receiver->message.size, event);
}

static bool take_payload(sdb_ws_receiver *receiver, sdb_ws_input *input, sdb_ws_event *event) {
  size_t size = input->size < receiver->frame_left ? input->size : (size_t)receiver->frame_left;
  char *data = input->data;
  if (receiver->mask_bit) {
    sdb_ws_mask(data, data, size, receiver->mask, receiver->mask_phase);
    if (!SDB_PLANTED(MASK_BEGINS_ANEW))
      receiver->mask_phase = (uint8_t)((receiver->mask_phase + size) & 3);
  }
  receiver->frame_left -= size;
  input->data += size;
  input->size -= size;
  if (receiver->frame_left == 0) receiver->in_payload = false;
  return is_control(receiver->opcode) ? control_part(receiver, data, size, event)
                                      : data_part(receiver, data, size, event);
}

bool sdb_ws_receive(sdb_ws_receiver *receiver, sdb_ws_input *input, sdb_ws_event *event) {
  if (receiver->free_message) {
    receiver->free_message = false;
    sdb_buffer_free(&receiver->message);
  }
  while (!receiver->ended && (input->size > 0 || receiver->in_payload)) {
    unsigned code = 0;
    if (!receiver->in_payload && !take_header(receiver, input, &code)) return false;
    if (code) return fail(receiver, event, code);
    if (input->size == 0 && receiver->frame_left > 0) return false;
    if (take_payload(receiver, input, event)) return true;
  }
  input->size = 0;
  return false;
}
