/* json/value.c: reading the tokens of a scan.
 *
 * Recursion (only in sdb_json_equal) goes no deeper than a scan lets values be
 * nested: SDB_JSON_DEPTH_MAX.
 */
#include "json/text.h"

sdb_slice sdb_json_raw(const sdb_json *json, uint32_t at) {
  const sdb_json_token *token = sdb_json_at(json, at);
  uint32_t quote = token->type == SDB_JSON_STRING;
  return sdb_slice_make(json->text + token->start - quote, token->end - token->start + 2 * quote);
}

static bool string_is(const sdb_json *json, uint32_t at, sdb_json_string text) {
  const sdb_json_token *token = &json->tokens[at];
  if (!token->escaped && !text.escaped) {
    size_t size = token->end - token->start;
    return size == text.text.size &&
           (size == 0 || memcmp(json->text + token->start, text.text.data, size) == 0);
  }
  return sdb_json_string_compare(sdb_json_string_at(json, at), text) == 0;
}

bool sdb_json_string_is(const sdb_json *json, uint32_t at, sdb_slice text) {
  SDB_ASSERT(sdb_json_at(json, at)->type == SDB_JSON_STRING);
  return string_is(json, at, (sdb_json_string){text, false});
}

/* The key `name` of the object at `object`, looked for from its key `from` on and then from its
 * first: its token, or 0. */
static uint32_t find_key(
    const sdb_json *json, uint32_t object, uint32_t from, sdb_json_string name) {
  uint32_t end = json->tokens[object].next;
  for (uint32_t key = from; key < end; key = json->tokens[key + 1].next) {
    if (string_is(json, key, name)) return key;
  }
  for (uint32_t key = object + 1; key < from; key = json->tokens[key + 1].next) {
    if (string_is(json, key, name)) return key;
  }
  return 0;
}

uint32_t sdb_json_member(const sdb_json *json, uint32_t object, sdb_slice name) {
  if (sdb_json_at(json, object)->type != SDB_JSON_OBJECT) return 0;
  uint32_t key = find_key(json, object, object + 1, (sdb_json_string){name, false});
  return key ? key + 1 : 0;
}

static bool arrays_equal(const sdb_json *a, uint32_t at_a, const sdb_json *b, uint32_t at_b) {
  uint32_t end = a->tokens[at_a].next;
  uint32_t item_a = at_a + 1, item_b = at_b + 1;
  while (item_a < end) {
    if (!sdb_json_equal(a, item_a, b, item_b)) return false;
    item_a = a->tokens[item_a].next;
    item_b = b->tokens[item_b].next;
  }
  return true;
}

/* Both have the same number of keys, and none twice. Keys are mostly in the same order, so each is
 * looked for behind the one found before. */
static bool objects_equal(const sdb_json *a, uint32_t at_a, const sdb_json *b, uint32_t at_b) {
  uint32_t end = a->tokens[at_a].next, from = at_b + 1;
  for (uint32_t key_a = at_a + 1; key_a < end; key_a = a->tokens[key_a + 1].next) {
    uint32_t key_b = find_key(b, at_b, from, sdb_json_string_at(a, key_a));
    if (!key_b || !sdb_json_equal(a, key_a + 1, b, key_b + 1)) return false;
    from = b->tokens[key_b + 1].next;
  }
  return true;
}

bool sdb_json_equal(const sdb_json *a, uint32_t at_a, const sdb_json *b, uint32_t at_b) {
  const sdb_json_token *token_a = sdb_json_at(a, at_a), *token_b = sdb_json_at(b, at_b);
  if (token_a->type != token_b->type || token_a->count != token_b->count) return false;
  switch ((sdb_json_type)token_a->type) {
  case SDB_JSON_NULL:
  case SDB_JSON_FALSE:
  case SDB_JSON_TRUE:
    return true;
  case SDB_JSON_NUMBER:
    return sdb_json_number_compare(sdb_json_text(a, at_a), sdb_json_text(b, at_b)) == 0;
  case SDB_JSON_STRING:
    return string_is(a, at_a, sdb_json_string_at(b, at_b));
  case SDB_JSON_ARRAY:
    return arrays_equal(a, at_a, b, at_b);
  case SDB_JSON_OBJECT:
    return objects_equal(a, at_a, b, at_b);
  }
  SDB_UNREACHABLE();
}
