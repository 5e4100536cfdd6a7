/* platform/object.c: objects as an application makes and reads them. */
#include "base/error.h"
#include "platform/platform.h"
#include "json/json.h"
#include <math.h>
#include <stdio.h>
#include <syncdb/object.h>

/* ---- making ---- */

struct sdb_builder {
  sdb_buffer text; /* `{` and the members; the `}` stands behind what is counted */
  bool failed;
};

sdb_builder *sdb_builder_create(void) {
  const sdb_mem *mem = sdb_platform_mem();
  sdb_builder *builder = sdb_mem_zero(mem, sizeof(*builder));
  if (!builder) return NULL;
  sdb_buffer_init(&builder->text, mem, SDB_JSON_SIZE_MAX);
  sdb_json_write_raw(&builder->text, "{");
  return builder;
}

void sdb_builder_destroy(sdb_builder *builder) {
  if (!builder) return;
  sdb_buffer_free(&builder->text);
  sdb_mem_free(sdb_platform_mem(), builder);
}

static void write_name(sdb_builder *builder, const char *name) {
  sdb_slice slice = sdb_slice_of(name);
  if (!sdb_utf8_valid(slice)) builder->failed = true;
  if (builder->text.size > 1) sdb_json_write_raw(&builder->text, ",");
  sdb_json_write_string(&builder->text, slice);
  sdb_json_write_raw(&builder->text, ":");
}

void sdb_builder_string(sdb_builder *builder, const char *name, sdb_slice text) {
  if (!sdb_utf8_valid(text)) builder->failed = true;
  if (builder->failed) return;
  write_name(builder, name);
  sdb_json_write_string(&builder->text, text);
}

void sdb_builder_integer(sdb_builder *builder, const char *name, int64_t value) {
  write_name(builder, name);
  sdb_json_write_int64(&builder->text, value);
}

void sdb_builder_number(sdb_builder *builder, const char *name, double value) {
  write_name(builder, name);
  if (!isfinite(value)) {
    sdb_json_write_raw(&builder->text, "null");
    return;
  }
  char text[32];
  int size = snprintf(text, sizeof(text), "%.17g", value);
  for (int i = 0; i < size; i++) {
    if (text[i] == ',') text[i] = '.'; /* some locales write it so */
  }
  sdb_buffer_append(&builder->text, text, (size_t)size);
}

void sdb_builder_boolean(sdb_builder *builder, const char *name, bool value) {
  write_name(builder, name);
  sdb_buffer_append_slice(&builder->text, sdb_slice_of(value ? "true" : "false"));
}

void sdb_builder_json(sdb_builder *builder, const char *name, sdb_slice json) {
  write_name(builder, name);
  sdb_buffer_append_slice(&builder->text, json);
}

sdb_slice sdb_builder_text(sdb_builder *builder) {
  char *end = sdb_buffer_reserve(&builder->text, 1);
  if (!end || builder->failed) return (sdb_slice){NULL, 0};
  *end = '}';
  return sdb_slice_make(builder->text.data, builder->text.size + 1);
}

/* ---- reading ---- */

/* What sdb_object_parse gives: the view, and behind it what the view looks at. */
typedef struct parsed_object {
  sdb_object object;
  sdb_json json;
  char text[];
} parsed_object;

sdb_status sdb_object_parse(sdb_slice text, sdb_object **object, sdb_error *error) {
  const sdb_mem *mem = sdb_platform_mem();
  if (text.size > SDB_JSON_SIZE_MAX)
    return sdb_error_set(error, SDB_BAD_JSON, "the text is too long", NULL, NULL);
  parsed_object *parsed = sdb_mem_alloc(mem, sizeof(*parsed) + text.size);
  if (!parsed) return sdb_error_set(error, SDB_NO_MEMORY, "out of memory", NULL, NULL);
  if (text.size) memcpy(parsed->text, text.data, text.size);
  sdb_json_init(&parsed->json, mem, SDB_JSON_SIZE_MAX);
  sdb_status status = sdb_json_scan(
      &parsed->json, sdb_slice_make(parsed->text, text.size), SDB_JSON_DEPTH_MAX, error);
  if (status == SDB_OK && sdb_json_at(&parsed->json, 0)->type != SDB_JSON_OBJECT)
    status = sdb_error_set(error, SDB_INVALID_OBJECT, "not an object", NULL, NULL);
  if (status != SDB_OK) {
    sdb_json_free(&parsed->json);
    sdb_mem_free(mem, parsed);
    return status;
  }
  parsed->object = (sdb_object){&parsed->json, 0};
  *object = &parsed->object;
  return SDB_OK;
}

void sdb_object_free(sdb_object *object) {
  if (!object) return;
  parsed_object *parsed = SDB_CONTAINER_OF(object, parsed_object, object);
  sdb_json_free(&parsed->json);
  sdb_mem_free(sdb_platform_mem(), parsed);
}
