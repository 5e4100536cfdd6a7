/* cli/held_back.c: see held_back.h.
 *
 * A change happened at its event's id; at its object's where it has none (a remove, a partial). A
 * change of an object that came behind another of it happened no earlier than that one, whatever
 * its own ids say. What has no id at all, a push that waits and a store that starts over, stays
 * between what came before it and what came behind.
 */
#include "held_back.h"
#include <stdlib.h>
#include <string.h>

bool sdb_cli_held_back_add(
    sdb_cli_held_back *held, const sdb_store *store, const sdb_client_change *change) {
  if (held->count == held->capacity) {
    size_t capacity = 2 * held->capacity + 64;
    sdb_cli_held_change *list = realloc(held->list, capacity * sizeof(*list));
    if (!list) return false;
    held->list = list;
    held->capacity = capacity;
  }
  const sdb_client_record *record = &change->record;
  sdb_cli_held_change *added = &held->list[held->count];
  memset(added, 0, sizeof(*added));
  added->store = store;
  added->change = *change;
  added->number = held->count;
  added->time = sdb_uuid_is_nil(record->event_id) ? record->id : record->event_id;
  if (record->object.size > 0) {
    added->object = malloc(record->object.size);
    if (!added->object) return false;
    memcpy(added->object, record->object.data, record->object.size);
    added->change.record.object.data = added->object;
  }
  if (record->error) {
    added->error = malloc(sizeof(*added->error));
    if (!added->error) {
      free(added->object);
      return false;
    }
    *added->error = *record->error;
    added->change.record.error = added->error;
  }
  held->count++;
  held->bytes += sizeof(*added) + record->object.size + (added->error ? sizeof(sdb_error) : 0);
  return true;
}

static int compare_ids(sdb_uuid a, sdb_uuid b) {
  return memcmp(a.bytes, b.bytes, sizeof(a.bytes));
}

static int compare_numbers(size_t a, size_t b) {
  return a < b ? -1 : a > b;
}

static int by_object(const void *left, const void *right) {
  const sdb_cli_held_change *a = left, *b = right;
  int order = compare_ids(a->change.record.id, b->change.record.id);
  return order ? order : compare_numbers(a->number, b->number);
}

static int by_time(const void *left, const void *right) {
  const sdb_cli_held_change *a = left, *b = right;
  int order = compare_ids(a->time, b->time);
  return order ? order : compare_numbers(a->number, b->number);
}

static void sort_run(sdb_cli_held_change *run, size_t count) {
  if (count < 2) return;
  qsort(run, count, sizeof(*run), by_object);
  for (size_t i = 1; i < count; i++) {
    bool same = sdb_uuid_equal(run[i].change.record.id, run[i - 1].change.record.id);
    if (same && compare_ids(run[i].time, run[i - 1].time) < 0) run[i].time = run[i - 1].time;
  }
  qsort(run, count, sizeof(*run), by_time);
}

void sdb_cli_held_back_sort(sdb_cli_held_back *held) {
  size_t begin = 0;
  for (size_t i = 0; i < held->count; i++) {
    const sdb_client_change *change = &held->list[i].change;
    if (change->kind != SDB_CHANGE_RESET && !sdb_uuid_is_nil(change->record.id)) continue;
    sort_run(held->list + begin, i - begin);
    begin = i + 1;
  }
  sort_run(held->list + begin, held->count - begin);
}

void sdb_cli_held_back_clear(sdb_cli_held_back *held) {
  for (size_t i = 0; i < held->count; i++) {
    free(held->list[i].object);
    free(held->list[i].error);
  }
  free(held->list);
  *held = (sdb_cli_held_back){NULL, 0, 0, 0};
}
