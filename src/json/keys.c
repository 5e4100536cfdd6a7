/* json/keys.c: duplicate keys, cheap in small objects and never quadratic in large ones.
 *
 * A few keys are compared with each other. More are sorted, by heap so that no
 * input makes it slow: an entry is the key's hash and its token in one integer,
 *
 *   bits 32..63 hash of the unescaped key      bits 0..31 token
 *
 * and hashes decide nearly all comparisons. Keys made to collide are ordered by
 * their bytes, so a hostile object of n keys costs O(n log n) like any other. The
 * entries stand behind the tokens in the same memory, which is free there until
 * the scan goes on.
 */
#include "json/keys.h"
#include "json/text.h"

#define KEYS_PAIRWISE_MAX 8

static uint32_t key_after(const sdb_json *json, uint32_t key) {
  return json->tokens[key + 1].next;
}

/* Most keys of an object differ in size or in their last byte: cheaper to see than a call. */
static bool keys_equal(const sdb_json *json, uint32_t a, uint32_t b) {
  const sdb_json_token *token_a = &json->tokens[a], *token_b = &json->tokens[b];
  if (token_a->escaped || token_b->escaped)
    return sdb_json_string_compare(sdb_json_string_at(json, a), sdb_json_string_at(json, b)) == 0;
  uint32_t size = token_a->end - token_a->start;
  if (size != token_b->end - token_b->start) return false;
  const char *text_a = json->text + token_a->start, *text_b = json->text + token_b->start;
  return size == 0 || (text_a[size - 1] == text_b[size - 1] && memcmp(text_a, text_b, size) == 0);
}

static uint32_t duplicate_pairwise(const sdb_json *json, uint32_t object) {
  uint32_t first = object + 1;
  for (uint32_t key = first; key < json->count; key = key_after(json, key)) {
    for (uint32_t earlier = first; earlier < key; earlier = key_after(json, earlier)) {
      if (keys_equal(json, key, earlier)) return key;
    }
  }
  return 0;
}

/* By hash, then by the key itself. */
static int compare_keys(const sdb_json *json, uint64_t a, uint64_t b) {
  uint32_t hash_a = (uint32_t)(a >> 32), hash_b = (uint32_t)(b >> 32);
  if (hash_a != hash_b) return hash_a < hash_b ? -1 : 1;
  return sdb_json_string_compare(
      sdb_json_string_at(json, (uint32_t)a), sdb_json_string_at(json, (uint32_t)b));
}

/* Equal keys in the order of the text. */
static bool is_before(const sdb_json *json, uint64_t a, uint64_t b) {
  int order = compare_keys(json, a, b);
  return order ? order < 0 : (uint32_t)a < (uint32_t)b;
}

static void sift_down(const sdb_json *json, uint64_t *entries, size_t at, size_t count) {
  uint64_t moved = entries[at];
  for (size_t child; (child = 2 * at + 1) < count; at = child) {
    if (child + 1 < count && is_before(json, entries[child], entries[child + 1])) child++;
    if (!is_before(json, moved, entries[child])) break;
    entries[at] = entries[child];
  }
  entries[at] = moved;
}

static void sort_entries(const sdb_json *json, uint64_t *entries, size_t count) {
  for (size_t at = count / 2; at-- > 0;)
    sift_down(json, entries, at, count);
  for (size_t last = count; last-- > 1;) {
    uint64_t largest = entries[0];
    entries[0] = entries[last];
    entries[last] = largest;
    sift_down(json, entries, 0, last);
  }
}

static uint32_t duplicate_sorted(const sdb_json *json, uint32_t object, uint64_t *entries) {
  size_t count = 0;
  for (uint32_t key = object + 1; key < json->count; key = key_after(json, key))
    entries[count++] = (uint64_t)sdb_json_string_hash(sdb_json_string_at(json, key)) << 32 | key;
  SDB_ASSERT(count == json->tokens[object].count);
  sort_entries(json, entries, count);
  uint32_t first = 0;
  for (size_t i = 1; i < count; i++) {
    if (compare_keys(json, entries[i - 1], entries[i]) != 0) continue;
    if (first == 0 || (uint32_t)entries[i] < first) first = (uint32_t)entries[i];
  }
  return first;
}

sdb_status sdb_json_keys_duplicate(sdb_json *json, uint32_t object, uint32_t *duplicate) {
  SDB_ASSERT(json->tokens[object].type == SDB_JSON_OBJECT);
  uint32_t count = json->tokens[object].count;
  if (count <= KEYS_PAIRWISE_MAX) {
    *duplicate = duplicate_pairwise(json, object);
    return SDB_OK;
  }
  json->memory.size = json->count * sizeof(sdb_json_token);
  void *entries = sdb_buffer_reserve(&json->memory, count * sizeof(uint64_t));
  if (!entries) return json->memory.status;
  json->tokens = (sdb_json_token *)(void *)json->memory.data;
  *duplicate = duplicate_sorted(json, object, entries);
  return SDB_OK;
}
