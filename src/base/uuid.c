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

/* The value of a hex digit and 1 more; 0: it is none. */
#define DIGITS(from, at)                                                                           \
  [from] = (at) + 1, [(from) + 1] = (at) + 2, [(from) + 2] = (at) + 3, [(from) + 3] = (at) + 4,    \
  [(from) + 4] = (at) + 5, [(from) + 5] = (at) + 6
static const uint8_t HEX_VALUE[256] = {
    DIGITS('0', 0), ['6'] = 7, ['7'] = 8, ['8'] = 9, ['9'] = 10, DIGITS('a', 10), DIGITS('A', 10)};
#undef DIGITS

bool sdb_uuid_parse(sdb_slice text, sdb_uuid *id) {
  if (text.size != SDB_UUID_TEXT_SIZE) return false;
  const unsigned char *t = (const unsigned char *)text.data;
  bool good = t[8] == '-' && t[13] == '-' && t[18] == '-' && t[23] == '-';
  sdb_uuid parsed;
  for (int i = 0; i < 16; i++) {
    unsigned high = HEX_VALUE[t[POSITION[i]]], low = HEX_VALUE[t[POSITION[i] + 1]];
    good &= high > 0 && low > 0;
    parsed.bytes[i] = (uint8_t)((high - 1) << 4 | (low - 1));
  }
  if (good) *id = parsed;
  return good;
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
