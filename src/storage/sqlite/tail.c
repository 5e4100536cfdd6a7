/* storage/sqlite/tail.c: see tail.h.
 *
 * Invariants: seqs rise from the oldest generation's first entry to the newest's last. Both hash
 * tables of a generation are open-addressed with twice as many slots as entries, so that probing
 * ends; an entry is taken back in the reverse order of adding, so that freeing its slot never
 * breaks another's probe sequence.
 */
#include "storage/sqlite/tail.h"

static uint32_t slots_for(uint32_t capacity) {
  uint32_t slots = 16;
  while (slots < capacity * 2)
    slots *= 2;
  return slots;
}

static sdb_generation *create_generation(const sdb_tail *tail) {
  uint32_t slots = slots_for(tail->capacity);
  size_t entries_size = (size_t)tail->capacity * sizeof(sdb_tail_entry);
  size_t slots_size = slots * sizeof(sdb_tail_slot);
  sdb_generation *made = sdb_mem_alloc(tail->mem, sizeof(*made) + entries_size);
  if (!made) return NULL;
  memset(made, 0, sizeof(*made));
  made->slots_mask = slots - 1;
  made->groups = sdb_mem_zero(tail->mem, slots_size);
  made->clients = sdb_mem_zero(tail->mem, slots_size);
  if (made->groups && made->clients) return made;
  sdb_mem_free(tail->mem, made->groups);
  sdb_mem_free(tail->mem, made->clients);
  sdb_mem_free(tail->mem, made);
  return NULL;
}

static void destroy_generation(const sdb_tail *tail, sdb_generation *generation) {
  sdb_mem_free(tail->mem, generation->groups);
  sdb_mem_free(tail->mem, generation->clients);
  sdb_mem_free(tail->mem, generation);
}

sdb_status sdb_tail_init(sdb_tail *tail, const sdb_mem *mem, uint32_t capacity) {
  SDB_ASSERT(capacity > 0 && capacity <= (uint32_t)1 << 28);
  memset(tail, 0, sizeof(*tail));
  tail->mem = mem;
  tail->capacity = capacity;
  tail->epoch = 1;
  tail->newest = tail->oldest = create_generation(tail);
  if (!tail->newest) return SDB_NO_MEMORY;
  if (pthread_mutex_init(&tail->mutex, NULL) == 0) return SDB_OK;
  destroy_generation(tail, tail->newest);
  tail->newest = NULL;
  return SDB_NO_MEMORY;
}

void sdb_tail_free(sdb_tail *tail) {
  if (!tail->newest) return;
  for (sdb_generation *at = tail->newest, *older; at; at = older) {
    older = at->older;
    destroy_generation(tail, at);
  }
  tail->newest = NULL;
  pthread_mutex_destroy(&tail->mutex);
}

static uint64_t group_hash(uint64_t user, uint16_t store) {
  uint64_t hash = (user << 16 | store) * 0x9e3779b97f4a7c15U;
  return hash ^ hash >> 32;
}

static uint32_t tag_of(uint64_t hash) {
  return (uint32_t)(hash >> 30);
}

/* The slot of (user, store), or the free one where it belongs. */
static sdb_tail_slot *find_group(const sdb_generation *generation, uint64_t user, uint16_t store) {
  uint64_t hash = group_hash(user, store);
  for (uint32_t at = (uint32_t)hash;; at++) {
    sdb_tail_slot *slot = &generation->groups[at & generation->slots_mask];
    if (slot->entry == 0) return slot;
    if (slot->tag != tag_of(hash)) continue;
    const sdb_tail_entry *entry = &generation->entries[slot->entry - 1];
    if (entry->user == user && entry->store == store) return slot;
  }
}

static sdb_tail_slot *find_free_client(const sdb_generation *generation, uint64_t hash) {
  uint32_t at = (uint32_t)hash;
  while (generation->clients[at & generation->slots_mask].entry != 0)
    at++;
  return &generation->clients[at & generation->slots_mask];
}

bool sdb_tail_make_room(sdb_tail *tail, uint32_t count) {
  SDB_ASSERT(count <= tail->capacity);
  if (tail->newest->count + count <= tail->capacity) return true;
  sdb_generation *made = create_generation(tail);
  if (!made) return false;
  pthread_mutex_lock(&tail->mutex);
  made->older = tail->newest;
  tail->newest->newer = made;
  tail->newest = made;
  tail->frozen++;
  pthread_mutex_unlock(&tail->mutex);
  return true;
}

void sdb_tail_append(sdb_tail *tail, sdb_seq seq, uint64_t user, uint16_t store, bool removed,
    uint64_t client_hash, sdb_seq died) {
  sdb_generation *newest = tail->newest;
  SDB_ASSERT(newest->count < tail->capacity);
  pthread_mutex_lock(&tail->mutex);
  sdb_tail_slot *group = find_group(newest, user, store);
  sdb_tail_entry *entry = &newest->entries[newest->count];
  entry->seq = seq;
  atomic_init(&entry->died, died);
  entry->user = user;
  entry->client_hash = client_hash;
  entry->previous = group->entry;
  entry->store = store;
  entry->removed = removed;
  newest->count++;
  *group = (sdb_tail_slot){tag_of(group_hash(user, store)), newest->count};
  if (client_hash)
    *find_free_client(newest, client_hash) = (sdb_tail_slot){tag_of(client_hash), newest->count};
  pthread_mutex_unlock(&tail->mutex);
}

static void take_back(sdb_generation *newest) {
  const sdb_tail_entry *entry = &newest->entries[newest->count - 1];
  sdb_tail_slot *group = find_group(newest, entry->user, entry->store);
  SDB_ASSERT(group->entry == newest->count);
  group->entry = entry->previous;
  if (entry->client_hash) {
    uint32_t at = (uint32_t)entry->client_hash;
    while (newest->clients[at & newest->slots_mask].entry != newest->count)
      at++;
    newest->clients[at & newest->slots_mask].entry = 0;
  }
  newest->count--;
}

void sdb_tail_rewind(sdb_tail *tail, uint32_t count) {
  SDB_ASSERT(count <= tail->newest->count);
  pthread_mutex_lock(&tail->mutex);
  while (tail->newest->count > count)
    take_back(tail->newest);
  pthread_mutex_unlock(&tail->mutex);
}

/* How many entries of a generation have a seq below `seq`. */
static uint32_t count_below(const sdb_generation *generation, sdb_seq seq) {
  uint32_t low = 0, high = generation->count;
  while (low < high) {
    uint32_t middle = low + (high - low) / 2;
    if (generation->entries[middle].seq < seq)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

sdb_tail_entry *sdb_tail_find(const sdb_tail *tail, sdb_seq seq, bool *frozen) {
  for (sdb_generation *at = tail->newest; at; at = at->older) {
    if (at->count == 0 || at->entries[0].seq > seq) continue;
    uint32_t index = count_below(at, seq);
    if (index == at->count || at->entries[index].seq != seq) return NULL;
    *frozen = at != tail->newest;
    return &at->entries[index];
  }
  return NULL;
}

const sdb_tail_entry *sdb_tail_next_client(
    const sdb_tail *tail, uint64_t hash, sdb_tail_cursor *cursor) {
  if (!cursor->started) *cursor = (sdb_tail_cursor){tail->newest, (uint32_t)hash, true};
  while (cursor->generation) {
    const sdb_generation *at = cursor->generation;
    const sdb_tail_slot *slot = &at->clients[cursor->slot++ & at->slots_mask];
    if (slot->entry == 0) {
      cursor->generation = at->older;
      cursor->slot = (uint32_t)hash;
    } else if (slot->tag == tag_of(hash) && at->entries[slot->entry - 1].client_hash == hash) {
      return &at->entries[slot->entry - 1];
    }
  }
  return NULL;
}

void sdb_tail_prefetch(const sdb_tail *tail, uint64_t user, uint16_t store, uint64_t client_hash) {
  const sdb_generation *newest = tail->newest;
  __builtin_prefetch(&newest->groups[(uint32_t)group_hash(user, store) & newest->slots_mask]);
  for (const sdb_generation *at = newest; at && client_hash; at = at->older)
    __builtin_prefetch(&at->clients[(uint32_t)client_hash & at->slots_mask]);
}

void sdb_tail_flushed(sdb_tail *tail, sdb_generation *generation) {
  pthread_mutex_lock(&tail->mutex);
  SDB_ASSERT(generation != tail->newest && generation->flushed_epoch == 0 && tail->frozen > 0);
  generation->flushed_epoch = ++tail->epoch;
  tail->frozen--;
  pthread_mutex_unlock(&tail->mutex);
}

/* Whether every reader at work came in after the generation's run was there to be seen. */
static bool may_drop(const sdb_tail *tail, const sdb_generation *generation) {
  if (generation->flushed_epoch == 0) return false;
  for (int i = 0; i < SDB_TAIL_READERS_MAX; i++) {
    if (tail->reader_epochs[i] != 0 && tail->reader_epochs[i] < generation->flushed_epoch)
      return false;
  }
  return true;
}

void sdb_tail_drop_flushed(sdb_tail *tail) {
  if (tail->oldest->flushed_epoch == 0) return; /* the writer alone sets it, and calls this */
  pthread_mutex_lock(&tail->mutex);
  sdb_generation *dropped = NULL;
  while (may_drop(tail, tail->oldest)) {
    sdb_generation *oldest = tail->oldest;
    tail->oldest = oldest->newer;
    tail->oldest->older = NULL;
    oldest->newer = dropped;
    dropped = oldest;
  }
  pthread_mutex_unlock(&tail->mutex);
  for (sdb_generation *newer; dropped; dropped = newer) {
    newer = dropped->newer;
    destroy_generation(tail, dropped);
  }
}

sdb_generation *sdb_tail_to_flush(sdb_tail *tail) {
  pthread_mutex_lock(&tail->mutex);
  sdb_generation *at = tail->oldest;
  while (at && at->flushed_epoch != 0)
    at = at->newer;
  if (at == tail->newest) at = NULL;
  pthread_mutex_unlock(&tail->mutex);
  return at;
}

void sdb_tail_enter(sdb_tail *tail, uint32_t reader) {
  SDB_ASSERT(reader < SDB_TAIL_READERS_MAX);
  pthread_mutex_lock(&tail->mutex);
  SDB_ASSERT(tail->reader_epochs[reader] == 0);
  tail->reader_epochs[reader] = tail->epoch;
  pthread_mutex_unlock(&tail->mutex);
}

void sdb_tail_leave(sdb_tail *tail, uint32_t reader) {
  pthread_mutex_lock(&tail->mutex);
  tail->reader_epochs[reader] = 0;
  pthread_mutex_unlock(&tail->mutex);
}

/* Index + 1 of the newest entry of (user, store) at or below `end`, given the newest of all.
 * Follows the chain from the newest and walks back from `end`, a step each in turn: the chain is
 * short where the user has few events here, the walk is where it has many. */
static uint32_t newest_below(
    const sdb_generation *generation, uint64_t user, uint16_t store, uint32_t chain, uint32_t end) {
  for (uint32_t walk = end; chain > end; walk--) {
    if (walk == 0) return 0;
    const sdb_tail_entry *entry = &generation->entries[walk - 1];
    if (entry->user == user && entry->store == store) return walk;
    chain = generation->entries[chain - 1].previous;
  }
  return chain;
}

static bool is_current(const sdb_tail_entry *entry, sdb_seq snapshot) {
  sdb_seq died = atomic_load_explicit(&entry->died, memory_order_relaxed);
  return died == 0 || died > snapshot;
}

/* What one collection looks for and has found. */
typedef struct collection {
  uint64_t user;
  uint16_t store;
  sdb_seq after, before, snapshot;
  sdb_tail_found *found;
  uint32_t count, max;
} collection;

/* The newest of (user, store) that the snapshot holds: what is newer may not be committed yet. */
static uint32_t newest_committed(
    const sdb_generation *generation, uint64_t user, uint16_t store, sdb_seq snapshot) {
  uint32_t at = find_group(generation, user, store)->entry;
  while (at > 0 && generation->entries[at - 1].seq > snapshot)
    at = generation->entries[at - 1].previous;
  return at;
}

/* Reads entries that are committed: nothing of them but `died` changes any more. */
static void collect_from(
    const sdb_generation *generation, uint32_t chain, uint32_t end, collection *c) {
  uint32_t next = newest_below(generation, c->user, c->store, chain, end);
  while (next > 0 && c->count < c->max) {
    const sdb_tail_entry *entry = &generation->entries[next - 1];
    if (entry->seq <= c->after) return;
    if (is_current(entry, c->snapshot))
      c->found[c->count++] = (sdb_tail_found){entry->seq, entry->removed};
    next = entry->previous;
  }
}

uint32_t sdb_tail_collect(sdb_tail *tail, uint32_t reader, const sdb_tail_query *query,
    sdb_tail_found *found, uint32_t max) {
  collection c = {
      query->user, query->store, query->after, query->before, query->snapshot, found, 0, max};
  if (c.before == 0 || c.before > c.snapshot) c.before = c.snapshot + 1;
  pthread_mutex_lock(&tail->mutex);
  sdb_seq epoch = tail->reader_epochs[reader];
  SDB_ASSERT(epoch != 0);
  for (const sdb_generation *at = tail->newest; at && c.count < max; at = at->older) {
    /* A generation whose run this reader sees may go at any time; any other stays while it reads,
     * so that the mutex is not needed to walk it. */
    if (at->flushed_epoch != 0 && at->flushed_epoch <= epoch) break;
    if (at->count == 0 || at->entries[0].seq >= c.before) continue;
    uint32_t end = count_below(at, c.before);
    uint32_t chain = newest_committed(at, c.user, c.store, c.snapshot);
    pthread_mutex_unlock(&tail->mutex);
    collect_from(at, chain, end, &c);
    pthread_mutex_lock(&tail->mutex);
    if (at->entries[0].seq <= c.after) break;
  }
  pthread_mutex_unlock(&tail->mutex);
  return c.count;
}
