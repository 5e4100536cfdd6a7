/* storage/local/memory_local.c: see memory_local.h.
 *
 * Invariants: an id stands in `objects` or in `removes` of a store, never in both; a store of type
 * singular has at most one record in the two together.
 *
 * A commit first makes all that its changes may need, then carries them out, which needs no memory:
 * so it happens as a whole or not at all.
 */
#include "storage/local/memory_local.h"
#include "base/memory.h"
#include "storage/local/order.h"
#include <stdlib.h>

/* An object or a kept remove; the links and the text stand behind it. */
typedef struct record {
  sdb_order_node node;
  sdb_uuid event_id, client_id;
  sdb_slice object;
} record;

/* A pending push, by its client id; the links and the texts stand behind it. */
typedef struct pending {
  sdb_order_node node;
  sdb_local_pending value;
} pending;

typedef struct store {
  sdb_store_type type;
  sdb_order objects, removes; /* apart, so that a page passes over no remove */
  sdb_local_state state;
  sdb_id_range *missing; /* what state.missing points to */
} store;

/* What a change may need, made before any change is carried out. */
typedef struct prepared {
  record *record;
  pending *pending;
  sdb_id_range *missing;
} prepared;

struct sdb_memory_local {
  const sdb_mem *mem;
  sdb_local_sink sink;
  sdb_local_port port;
  sdb_uuid database;
  sdb_order pending; /* by client id */
  sdb_status failing;
  bool deferred;
  sdb_local_op *first, **last; /* that wait */
  size_t stores_count;
  store stores[];
};

static record *record_of(sdb_order_node *node) {
  return node ? SDB_CONTAINER_OF(node, record, node) : NULL;
}

static pending *pending_of(sdb_order_node *node) {
  return node ? SDB_CONTAINER_OF(node, pending, node) : NULL;
}

/* ---- what a commit needs ---- */

/* A node in a structure of `size` bytes, with `extra` bytes behind its links: `*behind`. */
static void *make_node(
    const sdb_mem *mem, sdb_order *order, size_t size, size_t extra, char **behind) {
  uint32_t height = sdb_order_height(order);
  size_t links = height * sizeof(sdb_order_node *);
  if (extra > SIZE_MAX - size - links) return NULL;
  char *made = sdb_mem_alloc(mem, size + links + extra);
  if (!made) return NULL;
  sdb_order_node *node = (sdb_order_node *)(void *)made;
  node->height = height;
  node->next = (sdb_order_node **)(void *)(made + size);
  *behind = made + size + links;
  return made;
}

static record *make_record(sdb_memory_local *local, const sdb_local_change *change) {
  bool removes = change->kind == SDB_LOCAL_REMOVE;
  store *to = &local->stores[change->store];
  sdb_slice object = removes ? sdb_slice_make(NULL, 0) : change->object;
  char *text;
  record *made = make_node(
      local->mem, removes ? &to->removes : &to->objects, sizeof(*made), object.size, &text);
  if (!made) return NULL;
  made->node.id = change->id;
  made->event_id = change->event_id;
  made->client_id = change->client_id;
  if (object.size > 0) memcpy(text, object.data, object.size);
  made->object = sdb_slice_make(text, object.size);
  return made;
}

static sdb_slice copy_text(char **to, sdb_slice text) {
  sdb_slice copy = sdb_slice_make(*to, text.size);
  if (text.size > 0) memcpy(*to, text.data, text.size);
  *to += text.size;
  return copy;
}

static pending *make_pending(sdb_memory_local *local, const sdb_local_pending *value) {
  char *text;
  size_t extra = value->object.size + value->message.size + value->path.size;
  pending *made = make_node(local->mem, &local->pending, sizeof(*made), extra, &text);
  if (!made) return NULL;
  made->node.id = value->client_id;
  made->value = *value;
  made->value.object = copy_text(&text, value->object);
  made->value.message = copy_text(&text, value->message);
  made->value.path = copy_text(&text, value->path);
  return made;
}

static void check(const sdb_memory_local *local, const sdb_local_change *change) {
  switch (change->kind) {
  case SDB_LOCAL_REMOVE:
    SDB_ASSERT(change->store < local->stores_count || change->store == SDB_LOCAL_ANY);
    break;
  case SDB_LOCAL_PENDING_PUT:
    SDB_ASSERT(change->pending->store < local->stores_count && change->pending->position > 0);
    SDB_ASSERT(!sdb_uuid_is_nil(change->pending->client_id));
    break;
  case SDB_LOCAL_STATE:
    SDB_ASSERT(change->state.missing_count <= SDB_LOCAL_RANGES_MAX);
    SDB_ASSERT(change->store < local->stores_count);
    break;
  case SDB_LOCAL_PUT:
  case SDB_LOCAL_SINGULAR:
  case SDB_LOCAL_CLEAR:
  case SDB_LOCAL_FORGET:
    SDB_ASSERT(change->store < local->stores_count);
    break;
  case SDB_LOCAL_DATABASE:
  case SDB_LOCAL_PENDING_DROP:
  case SDB_LOCAL_VIEW:
    break;
  }
}

static bool prepare(sdb_memory_local *local, const sdb_local_change *change, prepared *to) {
  check(local, change);
  switch (change->kind) {
  case SDB_LOCAL_REMOVE:
    if (!change->keep || change->store == SDB_LOCAL_ANY) return true;
    to->record = make_record(local, change);
    return to->record != NULL;
  case SDB_LOCAL_PUT:
  case SDB_LOCAL_SINGULAR:
    to->record = make_record(local, change);
    return to->record != NULL;
  case SDB_LOCAL_PENDING_PUT:
    to->pending = make_pending(local, change->pending);
    return to->pending != NULL;
  case SDB_LOCAL_STATE: {
    size_t size = change->state.missing_count * sizeof(sdb_id_range);
    if (size == 0) return true;
    to->missing = sdb_mem_alloc(local->mem, size);
    if (to->missing) memcpy(to->missing, change->state.missing, size);
    return to->missing != NULL;
  }
  default:
    return true;
  }
}

/* What the changes did not take. */
static void free_prepared(const sdb_mem *mem, prepared *all, size_t count) {
  for (size_t i = 0; i < count; i++) {
    sdb_mem_free(mem, all[i].record);
    sdb_mem_free(mem, all[i].pending);
    sdb_mem_free(mem, all[i].missing);
  }
  sdb_mem_free(mem, all);
}

/* ---- carrying out ---- */

static void free_records(const sdb_mem *mem, sdb_order *order) {
  for (sdb_order_node *node = order->first[0], *next; node; node = next) {
    next = node->next[0];
    sdb_mem_free(mem, record_of(node));
  }
  memset(order->first, 0, sizeof(order->first));
  order->count = 0;
}

/* The records that a change is about. */
typedef struct about {
  record *object, *removed;
  sdb_uuid event_id; /* the greatest of theirs; nil: there is none */
} about;

/* Those of object `id`, or, with `whole`, all that the store holds (the first ones are given). */
static about find_about(const store *of, const sdb_uuid *id, bool whole) {
  about found = {0};
  sdb_order_node *object = whole ? of->objects.first[0] : sdb_order_find(&of->objects, id);
  sdb_order_node *removed = whole ? of->removes.first[0] : sdb_order_find(&of->removes, id);
  found.object = record_of(object);
  found.removed = record_of(removed);
  for (int i = 0; i < 2; i++) {
    for (sdb_order_node *node = i ? removed : object; node; node = whole ? node->next[0] : NULL) {
      const sdb_uuid *event_id = &record_of(node)->event_id;
      if (sdb_order_compare(event_id, &found.event_id) > 0) found.event_id = *event_id;
    }
  }
  return found;
}

static void drop(const sdb_mem *mem, sdb_order *order, record *gone, bool whole) {
  if (whole) {
    free_records(mem, order);
  } else if (gone) {
    sdb_order_take(order, &gone->node.id);
    sdb_mem_free(mem, gone);
  }
}

/* A singular store that comes to hold nothing remembers since when. */
static void put(sdb_memory_local *local, sdb_local_change *change, prepared *with) {
  store *to = &local->stores[change->store];
  bool whole = change->kind == SDB_LOCAL_SINGULAR || to->type == SDB_STORE_SINGULAR;
  bool nothing = change->kind == SDB_LOCAL_SINGULAR && change->object.size == 0;
  about found = find_about(to, &change->id, whole);
  change->applied = false;
  int newer = sdb_order_compare(&change->event_id, &found.event_id);
  bool again = found.object && change->or_equal && newer == 0;
  if ((found.object || found.removed) && newer <= 0 && !again) return;
  change->applied = found.object != NULL || !nothing;
  drop(local->mem, &to->objects, found.object, whole);
  drop(local->mem, &to->removes, found.removed, whole);
  sdb_order_put(nothing ? &to->removes : &to->objects, &with->record->node);
  with->record = NULL;
}

/* Finds the store of a remove that names none. */
static void find_store(const sdb_memory_local *local, sdb_local_change *change) {
  for (size_t i = 0; i < local->stores_count; i++) {
    const store *in = &local->stores[i];
    if (!sdb_order_find(&in->objects, &change->id) && !sdb_order_find(&in->removes, &change->id))
      continue;
    change->store = (uint16_t)i;
    return;
  }
}

/* A remove that is kept already stays kept: only forgetting ends what it holds off. */
static void remove_object(sdb_memory_local *local, sdb_local_change *change, prepared *with) {
  change->applied = false;
  if (change->store == SDB_LOCAL_ANY) find_store(local, change);
  if (change->store == SDB_LOCAL_ANY) return;
  store *from = &local->stores[change->store];
  bool whole = from->type == SDB_STORE_SINGULAR;
  about found = find_about(from, &change->id, whole);
  if (sdb_order_compare(&change->event_id, &found.event_id) < 0) return;
  change->applied = found.object != NULL;
  drop(local->mem, &from->objects, found.object, whole);
  if (found.removed) {
    found.removed->event_id = change->event_id;
  } else if (with->record) {
    sdb_order_put(&from->removes, &with->record->node);
    with->record = NULL;
  }
}

static void set_state(sdb_memory_local *local, const sdb_local_change *change, prepared *with) {
  store *of = &local->stores[change->store];
  sdb_mem_free(local->mem, of->missing);
  of->missing = with->missing;
  with->missing = NULL;
  of->state = change->state;
  of->state.missing = of->missing;
}

static void clear(sdb_memory_local *local, store *of) {
  free_records(local->mem, &of->objects);
  free_records(local->mem, &of->removes);
  sdb_mem_free(local->mem, of->missing);
  of->missing = NULL;
  memset(&of->state, 0, sizeof(of->state));
}

static void drop_pending(sdb_memory_local *local, const sdb_uuid *client_id) {
  sdb_mem_free(local->mem, pending_of(sdb_order_take(&local->pending, client_id)));
}

static void carry_out(sdb_memory_local *local, sdb_local_change *change, prepared *with) {
  switch (change->kind) {
  case SDB_LOCAL_PUT:
  case SDB_LOCAL_SINGULAR:
    put(local, change, with);
    break;
  case SDB_LOCAL_REMOVE:
    remove_object(local, change, with);
    break;
  case SDB_LOCAL_CLEAR:
    clear(local, &local->stores[change->store]);
    break;
  case SDB_LOCAL_FORGET:
    free_records(local->mem, &local->stores[change->store].removes);
    break;
  case SDB_LOCAL_STATE:
    set_state(local, change, with);
    break;
  case SDB_LOCAL_DATABASE:
    local->database = change->id;
    break;
  case SDB_LOCAL_PENDING_PUT:
    drop_pending(local, &change->pending->client_id);
    sdb_order_put(&local->pending, &with->pending->node);
    with->pending = NULL;
    break;
  case SDB_LOCAL_PENDING_DROP:
    drop_pending(local, &change->client_id);
    break;
  case SDB_LOCAL_VIEW:
    break;
  }
}

static sdb_status commit(sdb_memory_local *local, sdb_local_commit *op) {
  if (local->failing != SDB_OK) return local->failing;
  if (op->count == 0) return SDB_OK;
  prepared *all = sdb_mem_alloc(local->mem, sdb_mem_product(op->count, sizeof(*all)));
  if (!all) return SDB_NO_MEMORY;
  memset(all, 0, op->count * sizeof(*all));
  bool good = true;
  for (size_t i = 0; good && i < op->count; i++)
    good = prepare(local, &op->changes[i], &all[i]);
  for (size_t i = 0; good && i < op->count; i++)
    carry_out(local, &op->changes[i], &all[i]);
  free_prepared(local->mem, all, op->count);
  return good ? SDB_OK : SDB_NO_MEMORY;
}

/* ---- reading ---- */

/* Room for a result of `size` bytes in one piece, so that what was given never moves. */
static char *result_room(sdb_buffer *memory, size_t size) {
  sdb_buffer_reset(memory);
  char *room = size ? sdb_buffer_reserve(memory, size) : NULL;
  if (room) sdb_buffer_commit(memory, size);
  return room;
}

static sdb_local_record give_record(const record *from, char **text) {
  return (sdb_local_record){
      from->node.id, from->event_id, from->client_id, copy_text(text, from->object)};
}

static sdb_status read_page(sdb_memory_local *local, sdb_local_page *op) {
  SDB_ASSERT(op->store < local->stores_count && op->limit > 0);
  const sdb_order *objects = &local->stores[op->store].objects;
  sdb_order_node *first =
      sdb_uuid_is_nil(op->before) ? objects->first[0] : sdb_order_below(objects, &op->before);
  op->records = NULL;
  op->count = 0;
  size_t size = 0;
  uint32_t count = 0;
  for (sdb_order_node *node = first; node && count < op->limit; node = node->next[0], count++)
    size += sizeof(sdb_local_record) + record_of(node)->object.size;
  char *room = result_room(&op->memory, size);
  if (!room) return count == 0 ? SDB_OK : SDB_NO_MEMORY;
  sdb_local_record *records = (sdb_local_record *)(void *)room;
  char *text = room + count * sizeof(*records);
  for (sdb_order_node *node = first; op->count < count; node = node->next[0])
    records[op->count++] = give_record(record_of(node), &text);
  op->records = records;
  return SDB_OK;
}

static sdb_status read_object(sdb_memory_local *local, sdb_local_object *op) {
  SDB_ASSERT(op->store < local->stores_count);
  const sdb_order *objects = &local->stores[op->store].objects;
  const record *found =
      record_of(sdb_uuid_is_nil(op->id) ? objects->first[0] : sdb_order_find(objects, &op->id));
  if (!found) return SDB_NOT_FOUND;
  char *text = result_room(&op->memory, found->object.size);
  if (!text && found->object.size > 0) return SDB_NO_MEMORY;
  op->record = give_record(found, &text);
  return SDB_OK;
}

/* ---- loading ---- */

static int compare_positions(const void *a, const void *b) {
  uint64_t left = ((const sdb_local_pending *)a)->position;
  uint64_t right = ((const sdb_local_pending *)b)->position;
  return left < right ? -1 : left > right;
}

static size_t load_size(const sdb_memory_local *local) {
  size_t size = local->stores_count * sizeof(sdb_local_state);
  for (size_t i = 0; i < local->stores_count; i++)
    size += local->stores[i].state.missing_count * sizeof(sdb_id_range);
  for (sdb_order_node *node = local->pending.first[0]; node; node = node->next[0]) {
    const sdb_local_pending *value = &pending_of(node)->value;
    size += sizeof(*value) + value->object.size + value->message.size + value->path.size;
  }
  return size;
}

static sdb_status load(sdb_memory_local *local, sdb_local_load *op) {
  op->pending_count = 0;
  char *room = result_room(&op->memory, load_size(local));
  if (!room) return SDB_NO_MEMORY;
  sdb_local_state *states = (sdb_local_state *)(void *)room;
  sdb_local_pending *all = (sdb_local_pending *)(void *)(states + local->stores_count);
  char *behind = (char *)(all + local->pending.count);
  for (size_t i = 0; i < local->stores_count; i++) {
    const sdb_local_state *from = &local->stores[i].state;
    size_t size = from->missing_count * sizeof(sdb_id_range);
    states[i] = *from;
    states[i].missing = size ? (sdb_id_range *)(void *)behind : NULL;
    if (size > 0) memcpy(behind, from->missing, size);
    behind += size;
  }
  for (sdb_order_node *node = local->pending.first[0]; node; node = node->next[0]) {
    sdb_local_pending value = pending_of(node)->value;
    value.object = copy_text(&behind, value.object);
    value.message = copy_text(&behind, value.message);
    value.path = copy_text(&behind, value.path);
    all[op->pending_count++] = value;
  }
  qsort(all, op->pending_count, sizeof(*all), compare_positions);
  op->database = local->database;
  op->states = states;
  op->pending = all;
  return SDB_OK;
}

/* ---- the port ---- */

static sdb_status run(sdb_memory_local *local, sdb_local_op *op) {
  switch (op->kind) {
  case SDB_LOCAL_LOAD:
    return load(local, SDB_CONTAINER_OF(op, sdb_local_load, op));
  case SDB_LOCAL_COMMIT:
    return commit(local, SDB_CONTAINER_OF(op, sdb_local_commit, op));
  case SDB_LOCAL_PAGE:
    return read_page(local, SDB_CONTAINER_OF(op, sdb_local_page, op));
  case SDB_LOCAL_OBJECT:
    return read_object(local, SDB_CONTAINER_OF(op, sdb_local_object, op));
  case SDB_LOCAL_SYNC:
    return SDB_OK;
  }
  SDB_UNREACHABLE();
}

static void submit(void *self, sdb_local_op *list) {
  sdb_memory_local *local = self;
  *local->last = list;
  while (*local->last)
    local->last = &(*local->last)->next;
  if (!local->deferred) sdb_memory_local_run(local, SIZE_MAX);
}

size_t sdb_memory_local_run(sdb_memory_local *local, size_t count) {
  size_t done = 0;
  sdb_local_op *list = local->first, **end = &list;
  for (; *end && done < count; end = &(*end)->next, done++)
    (*end)->status = run(local, *end);
  local->first = *end;
  *end = NULL;
  if (!local->first) local->last = &local->first;
  if (list) local->sink.completed(local->sink.context, list);
  return done;
}

void sdb_memory_local_fail(sdb_memory_local *local, sdb_status status) {
  local->failing = status;
}

void sdb_memory_local_defer(sdb_memory_local *local, bool deferred) {
  local->deferred = deferred;
}

const sdb_local_port *sdb_memory_local_port(sdb_memory_local *local) {
  return &local->port;
}

sdb_status sdb_memory_local_create(const sdb_mem *mem, const sdb_storage_store *stores,
    size_t stores_count, sdb_local_sink sink, sdb_memory_local **local) {
  SDB_ASSERT(stores_count > 0 && stores_count < SDB_LOCAL_ANY);
  sdb_memory_local *made = sdb_mem_zero(mem, sizeof(*made) + stores_count * sizeof(store));
  if (!made) return SDB_NO_MEMORY;
  made->mem = mem;
  made->sink = sink;
  made->port = (sdb_local_port){.version = 1, .self = made, .submit = submit};
  made->last = &made->first;
  made->stores_count = stores_count;
  sdb_order_init(&made->pending);
  for (size_t i = 0; i < stores_count; i++) {
    made->stores[i].type = stores[i].type;
    sdb_order_init(&made->stores[i].objects);
    sdb_order_init(&made->stores[i].removes);
  }
  *local = made;
  return SDB_OK;
}

void sdb_memory_local_destroy(sdb_memory_local *local) {
  if (!local) return;
  SDB_ASSERT(!local->first);
  for (size_t i = 0; i < local->stores_count; i++)
    clear(local, &local->stores[i]);
  for (sdb_order_node *node = local->pending.first[0], *next; node; node = next) {
    next = node->next[0];
    sdb_mem_free(local->mem, pending_of(node));
  }
  sdb_mem_free(local->mem, local);
}
