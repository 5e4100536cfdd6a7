/* store/schema_unique.c: uniqueItems, in linear time.
 *
 * Items are hashed so that equal JSON values have equal hashes: numbers by their nearest double,
 * strings unescaped, objects whatever the order of their keys. Only items whose hashes are equal
 * are compared. The hash has no secret, so somebody may find many items with one hash: comparing
 * costs steps, and the check is given up long before that takes time.
 *
 * Up to SMALL items are compared hash by hash on the stack. More go through a table of (hash,
 * item), open addressing, at most half full, which is the one thing that a check allocates.
 */
#include "store/schema.h"

#define SMALL 16
#define COMPARISON_STEPS 8
#define BYTES_PER_STEP 8

typedef struct unique_hasher {
  const sdb_json *json;
  sdb_buffer text; /* an escaped string, unescaped; never counted, so that a failure sticks */
} unique_hasher;

typedef struct unique_slot {
  uint32_t hash, at; /* at 0: free, as no item is the root */
} unique_slot;

static uint64_t mix(uint64_t a, uint64_t b) {
  uint64_t x = (a ^ b) * 0x9e3779b97f4a7c15U;
  x = (x ^ (x >> 29)) * 0xbf58476d1ce4e5b9U;
  return x ^ (x >> 32);
}

static uint64_t hash_bytes(const char *data, size_t size) {
  uint64_t hash = mix(size, 1);
  for (; size >= 8; data += 8, size -= 8) {
    uint64_t word;
    memcpy(&word, data, 8);
    hash = mix(hash, word);
  }
  uint64_t rest = 0;
  if (size) memcpy(&rest, data, size);
  return mix(hash, rest);
}

static uint64_t hash_string(unique_hasher *hasher, uint32_t at) {
  sdb_slice text = sdb_json_text(hasher->json, at);
  if (!hasher->json->tokens[at].escaped) return hash_bytes(text.data, text.size);
  char *to = sdb_buffer_reserve(&hasher->text, text.size);
  return to ? hash_bytes(to, sdb_json_unescape(hasher->json, at, to)) : 0;
}

static uint64_t hash_number(const unique_hasher *hasher, uint32_t at) {
  double value = sdb_json_double(hasher->json, at);
  if (value == 0) value = 0; /* -0 is 0 */
  uint64_t bits;
  memcpy(&bits, &value, sizeof(bits));
  return mix(bits, 2);
}

/* Recursion goes as deep as a scan lets values be nested. */
static uint64_t hash_value(unique_hasher *hasher, uint32_t at) {
  const sdb_json_token *tokens = hasher->json->tokens;
  uint64_t hash = mix(tokens[at].type, 3);
  uint32_t end = tokens[at].next;
  switch ((sdb_json_type)tokens[at].type) {
  case SDB_JSON_STRING:
    return hash_string(hasher, at);
  case SDB_JSON_NUMBER:
    return hash_number(hasher, at);
  case SDB_JSON_ARRAY:
    for (uint32_t item = at + 1; item < end; item = tokens[item].next)
      hash = mix(hash, hash_value(hasher, item));
    return hash;
  case SDB_JSON_OBJECT:
    for (uint32_t key = at + 1; key < end; key = tokens[key + 1].next)
      hash += mix(hash_string(hasher, key), hash_value(hasher, key + 1));
    return mix(hash, tokens[at].count);
  case SDB_JSON_NULL:
  case SDB_JSON_FALSE:
  case SDB_JSON_TRUE:
    break;
  }
  return hash;
}

/* Whether the items are told apart; if not, or if the check was given up, the failure is set. */
static bool differ(
    sdb_schema_checker *checker, const sdb_schema *schema, uint32_t earlier, uint32_t later) {
  const sdb_json_token *token = &checker->json->tokens[later];
  uint64_t steps = COMPARISON_STEPS + (token->end - token->start) / BYTES_PER_STEP;
  if (!sdb_schema_spend(checker, steps, later)) return false;
  if (sdb_schema_equal(checker, checker->json, earlier, checker->json, later))
    return sdb_schema_fail(checker, SDB_FAULT_UNIQUE, schema, later);
  return checker->failure.fault < SDB_FAULT_STEPS;
}

static bool check_few(
    sdb_schema_checker *checker, unique_hasher *hasher, const sdb_schema *schema, uint32_t at) {
  uint64_t hashes[SMALL];
  uint32_t items[SMALL], count = 0;
  const sdb_json_token *tokens = checker->json->tokens;
  for (uint32_t item = at + 1; item < tokens[at].next; item = tokens[item].next) {
    hashes[count] = hash_value(hasher, item);
    items[count] = item;
    for (uint32_t i = 0; i < count; i++) {
      if (hashes[i] == hashes[count] && !differ(checker, schema, items[i], item)) return false;
    }
    count++;
  }
  return true;
}

static bool check_many(sdb_schema_checker *checker, unique_hasher *hasher, const sdb_schema *schema,
    uint32_t at, unique_slot *slots, uint32_t mask) {
  const sdb_json_token *tokens = checker->json->tokens;
  for (uint32_t item = at + 1; item < tokens[at].next; item = tokens[item].next) {
    uint64_t hash = hash_value(hasher, item);
    uint32_t high = (uint32_t)(hash >> 32), slot = (uint32_t)hash & mask;
    for (; slots[slot].at; slot = (slot + 1) & mask) {
      if (!sdb_schema_spend(checker, 1, item)) return false;
      if (slots[slot].hash == high && !differ(checker, schema, slots[slot].at, item)) return false;
    }
    slots[slot] = (unique_slot){high, item};
  }
  return true;
}

static bool check_with_table(
    sdb_schema_checker *checker, unique_hasher *hasher, const sdb_schema *schema, uint32_t at) {
  size_t capacity = 2 * SMALL;
  while (capacity < 2 * (size_t)checker->json->tokens[at].count)
    capacity *= 2;
  const sdb_mem *mem = checker->set->mem;
  unique_slot *slots = sdb_mem_zero(mem, sdb_mem_product(capacity, sizeof(*slots)));
  if (!slots) return sdb_schema_fail(checker, SDB_FAULT_NO_MEMORY, NULL, at);
  bool unique = check_many(checker, hasher, schema, at, slots, (uint32_t)(capacity - 1));
  sdb_mem_free(mem, slots);
  return unique;
}

bool sdb_schema_check_unique(sdb_schema_checker *checker, const sdb_schema *schema, uint32_t at) {
  const sdb_json_token *token = &checker->json->tokens[at];
  if (!sdb_schema_spend(checker, token->next - at, at)) return false;
  unique_hasher hasher = {.json = checker->json};
  sdb_buffer_init(&hasher.text, checker->set->mem, SDB_JSON_SIZE_MAX);
  bool unique = token->count <= SMALL ? check_few(checker, &hasher, schema, at)
                                      : check_with_table(checker, &hasher, schema, at);
  if (hasher.text.status != SDB_OK)
    unique = sdb_schema_fail(checker, SDB_FAULT_NO_MEMORY, NULL, at);
  sdb_buffer_free(&hasher.text);
  return unique;
}
