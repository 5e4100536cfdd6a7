/* text.h: the texts that the state machines' harnesses make: messages and objects, of templates. */
#ifndef FUZZ_TEXT_H
#define FUZZ_TEXT_H

#include "fuzz.h"
#include <stdarg.h>
#include <syncdb/store.h>
#include <syncdb/uuid.h>

#include "platform/platform.h"
#include "store/store.h"

enum { CHAT, ACCOUNT, NOTE, STORES_COUNT }; /* the stores, as they are numbered */

/* On the wire; the last is of no store. */
static const char *const STORE_NAMES[] = {"chatMessage", "account", "note", "nothing"};

#define TEXT_MAX 4096

typedef struct text {
  char data[TEXT_MAX];
  size_t size;
} text;

/* Appends; what does not fit is left out. */
__attribute__((format(printf, 2, 3))) static inline void text_put(
    text *to, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  int size = vsnprintf(to->data + to->size, TEXT_MAX - to->size, format, arguments);
  va_end(arguments);
  REQUIRE(size >= 0);
  size_t room = TEXT_MAX - to->size - 1;
  to->size += (size_t)size < room ? (size_t)size : room;
}

static inline sdb_slice text_slice(const text *of) {
  return sdb_slice_make(of->data, of->size);
}

typedef struct id_text {
  char text[SDB_UUID_TEXT_SIZE + 1];
} id_text;

static inline id_text text_of_id(sdb_uuid id) {
  id_text to = {""};
  sdb_uuid_format(id, to.text);
  return to;
}

/* A field with an id, or null for the nil one. A comma stands before it. */
static inline void text_put_id(text *to, const char *field, sdb_uuid id) {
  if (sdb_uuid_is_nil(id))
    text_put(to, ",\"%s\":null", field);
  else
    text_put(to, ",\"%s\":\"%s\"", field, text_of_id(id).text);
}

/* The client id of a number. */
static inline sdb_uuid client_id_of(unsigned number) {
  sdb_uuid id = {
      {0, 0, 0, 0, 0, 0, 0x40, 0, 0x80, 0, 0, 0, 0, 0, (uint8_t)(number >> 8), (uint8_t)number}};
  return id;
}

/* Some of a message's bytes are others; no '@', which is the mark of whose an object is. */
static inline void text_spoil(text *of, fuzz_input *in) {
  unsigned at = fuzz_byte(in), byte = fuzz_byte(in);
  at |= (unsigned)fuzz_byte(in) << 8;
  if (of->size > 0) of->data[at % of->size] = (char)(byte == '@' ? '?' : byte);
}

/* Bytes as they stand in the input, without the mark. */
static inline void text_put_raw(text *to, fuzz_input *in) {
  sdb_slice bytes = fuzz_bytes(in, fuzz_byte(in));
  size_t room = TEXT_MAX - to->size;
  size_t size = bytes.size < room ? bytes.size : room;
  for (size_t i = 0; i < size; i++)
    to->data[to->size++] = bytes.data[i] == '@' ? '?' : bytes.data[i];
}

/* ---- the stores ---- */

static inline sdb_status fuzz_rule(
    void *context, sdb_action action, const sdb_object *object, sdb_error *error) {
  (void)context;
  if (action == SDB_ACTION_CREATE && !sdb_object_is(object, "role", "user"))
    return sdb_reject(error, "Only user messages can be created!");
  return SDB_OK;
}

static inline sdb_store *fuzz_store(
    const char *name, sdb_store_type type, const char *schema, sdb_validate_update_fn rule) {
  sdb_store_definition definition = SDB_STORE_DEFINITION_INIT;
  definition.name = name;
  definition.type = type;
  definition.schema = schema;
  definition.validate_update = rule;
  sdb_store *store = NULL;
  REQUIRE(sdb_store_compile(
              &definition, sdb_platform_mem(), sdb_platform_patterns(), &store, NULL) == SDB_OK);
  return store;
}

#define ONE_STRING(field)                                                                          \
  "{\"type\":\"object\",\"properties\":{\"" field                                                  \
  "\":{\"type\":\"string\"}},\"required\":[\"" field "\"]}"

/* Made once: they are read only. */
static inline sdb_store *const *fuzz_stores(void) {
  static sdb_store *stores[STORES_COUNT];
  if (stores[0]) return stores;
  stores[CHAT] = fuzz_store("chat_message", SDB_STORE_EVENT, ONE_STRING("message"), fuzz_rule);
  stores[ACCOUNT] = fuzz_store("account", SDB_STORE_SINGULAR, ONE_STRING("name"), NULL);
  stores[NOTE] = fuzz_store("note", SDB_STORE_EVENT, ONE_STRING("text"), NULL);
  return stores;
}

/* ---- objects ---- */

/* An object of the store, or what is none; `mark` says whose it is. */
static inline void text_put_object(text *to, unsigned store, unsigned what, const char *mark) {
  static const char *const FIELDS[] = {
      "\"role\":\"user\",\"message\"", "\"name\"", "\"text\"", "\"text\""};
  const char *field = FIELDS[store % 4];
  switch (what % 16) {
  case 0:
    text_put(to, "{%s:7}", field);
    break;
  case 1:
    text_put(to, "{%s:\"%s\",\"$createdAt\":7}", field, mark);
    break;
  case 2:
    text_put(to, "{%s:\"%s\",\"$createdAt\":99999999999999}", field, mark);
    break;
  case 3:
    text_put(to, "{%s:\"%s\",\"$createdAt\":-1}", field, mark);
    break;
  case 4:
    text_put(to, "{%s:\"%s\",\"$own\":1}", field, mark);
    break;
  case 5:
    text_put(to, "[]");
    break;
  case 6:
    text_put(to, "{%s:\"%s %0400d\"}", field, mark, 0);
    break;
  case 7:
    text_put(to, "{%s:\"%s\\n\\u00e9\\\"\",\"n\":[{\"m\":{}}]}", field, mark);
    break;
  case 8:
    text_put(to, "{\"\":\"\"}");
    break;
  default:
    text_put(to, "{%s:\"%s %u\"}", field, mark, what);
    break;
  }
}

#endif
