/* hub/user.c: the users in memory: a table by name, loading, heads, what was overwritten.
 *
 * Invariant: a user's heads are those of the storage with every write applied
 * that has come back, because no write of a user is on its way while it loads.
 * So heads are loaded once; horizons move by themselves as the storage forgets
 * removes, and are asked for anew when a hello finds them old.
 */
#include "base/planted.h"
#include "hub/state.h"

static uint32_t hash_name(sdb_slice name) {
  uint32_t hash = 2166136261u; /* FNV-1a: names are vouched for, not hostile */
  for (size_t i = 0; i < name.size; i++)
    hash = (hash ^ (unsigned char)name.data[i]) * 16777619u;
  return hash;
}

static sdb_user **bucket_of(sdb_hub *hub, uint32_t hash) {
  return &hub->users[hash & (hub->users_buckets - 1)];
}

/* Without memory the table stays as it is, and is only slower. */
static void grow_table(sdb_hub *hub) {
  uint32_t count = hub->users_buckets * 2;
  sdb_user **buckets = sdb_mem_zero(hub->mem, count * sizeof(*buckets));
  if (!buckets) return;
  for (uint32_t i = 0; i < hub->users_buckets; i++) {
    while (hub->users[i]) {
      sdb_user *user = hub->users[i];
      hub->users[i] = user->hash_next;
      user->hash_next = buckets[user->hash & (count - 1)];
      buckets[user->hash & (count - 1)] = user;
    }
  }
  sdb_mem_free(hub->mem, hub->users);
  hub->users = buckets;
  hub->users_buckets = count;
}

static sdb_user *find(sdb_hub *hub, sdb_slice name, uint32_t hash) {
  sdb_user *user = *bucket_of(hub, hash);
  while (user && !(user->hash == hash &&
                     sdb_slice_equal(sdb_slice_make(user->name, user->name_size), name)))
    user = user->hash_next;
  return user;
}

/* Asks the storage for the user. False: no memory. */
static bool begin_load(sdb_user *user) {
  sdb_hub *hub = user->hub;
  size_t stores_count = hub->options.stores_count;
  sdb_load_op *op = sdb_mem_zero(hub->mem, sizeof(*op) + stores_count * sizeof(op->heads[0]));
  if (!op) return false;
  op->load.op.kind = SDB_OP_USER;
  op->load.name = sdb_slice_make(user->name, user->name_size);
  op->load.heads = op->heads;
  op->user = user;
  user->references++;
  sdb_hub_stage(hub, &op->load.op);
  return true;
}

static sdb_user *create(sdb_hub *hub, sdb_slice name, uint32_t hash) {
  size_t heads_size = hub->options.stores_count * sizeof(sdb_user_head);
  sdb_user *user = sdb_mem_zero(hub->mem, sizeof(*user) + name.size + 1);
  sdb_user_head *heads = user ? sdb_mem_zero(hub->mem, heads_size) : NULL;
  if (!heads) {
    sdb_mem_free(hub->mem, user);
    return NULL;
  }
  user->hub = hub;
  user->heads = heads;
  user->hash = hash;
  user->name_size = (uint32_t)name.size;
  memcpy(user->name, name.data, name.size);
  user->waiting_last = &user->waiting;
  user->state = SDB_USER_LOADING;
  return user;
}

static void free_user(sdb_user *user) {
  sdb_hub *hub = user->hub;
  SDB_ASSERT(!user->peers && !user->partials && !user->waiting);
  sdb_user **at = bucket_of(hub, user->hash);
  while (*at != user)
    at = &(*at)->hash_next;
  *at = user->hash_next;
  hub->users_count--;
  sdb_mem_free(hub->mem, user->overwrites);
  sdb_mem_free(hub->mem, user->heads);
  sdb_mem_free(hub->mem, user);
}

sdb_user *sdb_user_get(sdb_hub *hub, sdb_slice name) {
  SDB_ASSERT(name.size > 0 && name.size <= SDB_USER_NAME_MAX);
  uint32_t hash = hash_name(name);
  sdb_user *user = find(hub, name, hash);
  if (user && user->state != SDB_USER_FAILED) {
    user->references++;
    return user;
  }
  user = create(hub, name, hash);
  if (!user) return NULL;
  user->references = 1;
  if (hub->users_count >= hub->users_buckets) grow_table(hub);
  sdb_user **bucket = bucket_of(hub, hash);
  user->hash_next = *bucket;
  *bucket = user;
  hub->users_count++;
  if (begin_load(user)) return user;
  sdb_user_release(user);
  return NULL;
}

void sdb_user_release(sdb_user *user) {
  SDB_ASSERT(user->references > 0);
  if (--user->references == 0) free_user(user);
}

/* ---- loading ---- */

static void run_waiting(sdb_user *user, uint64_t now_ms) {
  sdb_hub *hub = user->hub;
  while (user->waiting) {
    sdb_waiting_request *waiting = user->waiting;
    user->waiting = waiting->next;
    if (user->state == SDB_USER_READY)
      sdb_request_run(user, &waiting->request, now_ms);
    else
      sdb_hub_done(hub, waiting->request.tag, SDB_UNAVAILABLE, NULL);
    sdb_mem_free(hub->mem, waiting);
  }
  user->waiting_last = &user->waiting;
}

bool sdb_user_is_fresh(sdb_user *user, uint64_t now_ms, bool *failed) {
  if (user->state != SDB_USER_READY || user->refreshing) return false;
  if (now_ms < user->loaded_ms + SDB_USER_FRESH_MS) return true;
  user->refreshing = begin_load(user);
  if (!user->refreshing) *failed = true;
  return false;
}

/* Those whose hello waits for this; and all, if the user could not be had at all. */
static void greet_peers(sdb_user *user, bool failed, uint64_t now_ms) {
  for (sdb_peer *peer = user->peers; peer; peer = peer->user_next) {
    bool waits = peer->state == SDB_PEER_GREETED;
    if (peer->state == SDB_PEER_CLOSING) continue;
    if (failed && (waits || user->state == SDB_USER_FAILED))
      sdb_hub_close_peer(peer, SDB_CLOSE_OVERLOADED, "the storage cannot be read");
    else if (waits)
      sdb_hub_answer_hello(peer, now_ms);
  }
}

static void take_heads(sdb_user *user, const sdb_load_op *op, uint64_t now_ms) {
  bool first = user->state == SDB_USER_LOADING;
  for (size_t i = 0; i < user->hub->options.stores_count; i++) {
    if (first) user->heads[i].head = op->heads[i].head;
    user->heads[i].horizon = op->heads[i].horizon;
  }
  user->number = op->load.user;
  user->loaded_ms = now_ms;
  user->state = SDB_USER_READY;
}

void sdb_user_on_loaded(sdb_hub *hub, sdb_load_op *op, uint64_t now_ms) {
  sdb_user *user = op->user;
  bool failed = op->load.op.status != SDB_OK;
  SDB_ASSERT(user->state == SDB_USER_LOADING || user->refreshing);
  if (!failed)
    take_heads(user, op, now_ms);
  else if (user->state == SDB_USER_LOADING)
    user->state = SDB_USER_FAILED;
  user->refreshing = false;
  sdb_mem_free(hub->mem, op);
  greet_peers(user, failed, now_ms);
  run_waiting(user, now_ms);
  sdb_user_release(user);
}

sdb_seq sdb_user_head_of(const sdb_user *user, uint16_t store) {
  const sdb_user_head *head = &user->heads[store];
  return head->head > head->horizon ? head->head : head->horizon;
}

/* ---- overwritten while pages are read ---- */

void sdb_user_note_overwrite(sdb_user *user, uint16_t store, sdb_seq object, sdb_seq seq) {
  if (user->pages_in_flight == 0) return;
  if (!user->overwrites)
    user->overwrites =
        sdb_mem_alloc(user->hub->mem, SDB_OVERWRITES_MAX * sizeof(*user->overwrites));
  if (!user->overwrites || user->overwrites_count >= SDB_OVERWRITES_MAX) {
    user->overwrites_count = SDB_OVERWRITES_MAX + 1;
    return;
  }
  user->overwrites[user->overwrites_count++] = (sdb_overwrite){object, seq, store};
}

bool sdb_user_is_overwritten(
    const sdb_user *user, uint16_t store, bool singular, sdb_seq object, sdb_seq seq) {
  SDB_ASSERT(user->overwrites_count <= SDB_OVERWRITES_MAX);
  if (SDB_PLANTED(PAGE_AFTER_REMOVE)) return false;
  for (uint32_t i = 0; i < user->overwrites_count; i++) {
    const sdb_overwrite *overwrite = &user->overwrites[i];
    if (overwrite->store == store && (singular || overwrite->object == object) &&
        overwrite->seq > seq)
      return true;
  }
  return false;
}
