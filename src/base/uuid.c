/* base/uuid.c: the text form of UUIDs, and UUIDv7s made of seqs (see seq.h). */
#include "base/base.h"
#include "base/seq.h"

static const char HEX[] = "0123456789abcdef";

/* Where each byte's two digits stand in the 8-4-4-4-12 form. */
static const uint8_t POSITION[16] = {0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34};

void sdb_uuid_format(sdb_uuid id, char *text) {
  for (int i = 0; i < 16; i++) {
    text[POSITION[i]] = HEX[id.bytes[i] >> 4];
    text[POSITION[i] + 1] = HEX[id.bytes[i] & 15];
  }
  text[8] = text[13] = text[18] = text[23] = '-';
}

static int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool sdb_uuid_parse(sdb_slice text, sdb_uuid *id) {
  if (text.size != SDB_UUID_TEXT_SIZE) return false;
  const char *t = text.data;
  if (t[8] != '-' || t[13] != '-' || t[18] != '-' || t[23] != '-') return false;
  sdb_uuid parsed;
  for (int i = 0; i < 16; i++) {
    int high = hex_value(t[POSITION[i]]), low = hex_value(t[POSITION[i] + 1]);
    if (high < 0 || low < 0) return false;
    parsed.bytes[i] = (uint8_t)(high << 4 | low);
  }
  *id = parsed;
  return true;
}

bool sdb_uuid_is_nil(sdb_uuid id) {
  static const sdb_uuid NIL;
  return memcmp(id.bytes, NIL.bytes, sizeof(id.bytes)) == 0;
}

bool sdb_uuid_equal(sdb_uuid a, sdb_uuid b) {
  return memcmp(a.bytes, b.bytes, sizeof(a.bytes)) == 0;
}

static uint64_t load64(const uint8_t *from) {
  uint64_t value = 0;
  for (int i = 0; i < 8; i++)
    value = value << 8 | from[i];
  return value;
}

static void store64(uint8_t *to, uint64_t value) {
  for (int i = 7; i >= 0; i--, value >>= 8)
    to[i] = (uint8_t)value;
}

/* The finalizer of splitmix64: it spreads, it hides nothing, and nothing here is secret. */
static uint64_t mix(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9U;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebU;
  return x ^ (x >> 31);
}

sdb_uuid sdb_seq_to_uuid(sdb_seq seq, sdb_uuid database) {
  SDB_ASSERT(seq <= SDB_SEQ_MAX);
  sdb_uuid id;
  uint64_t high = (seq >> 12) << 16 | 0x7000 | (seq & 0xFFF);
  uint64_t low = mix(mix(seq ^ load64(database.bytes)) ^ load64(database.bytes + 8));
  store64(id.bytes, high);
  store64(id.bytes + 8, (low & (((uint64_t)1 << 62) - 1)) | (uint64_t)1 << 63);
  return id;
}

bool sdb_seq_from_uuid(sdb_uuid id, sdb_uuid database, sdb_seq *seq) {
  uint64_t high = load64(id.bytes);
  sdb_seq found = (high >> 16) << 12 | (high & 0xFFF);
  if (!sdb_uuid_equal(sdb_seq_to_uuid(found, database), id)) return false;
  *seq = found;
  return true;
}
