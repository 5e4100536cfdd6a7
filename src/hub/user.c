/* hub/user.c: the users in memory: a table by name, loading, heads, what was overwritten.
 *
 * Invariant: a user's heads are those of the storage with every write applied
 * that has come back, because no write of a user is on its way while it loads.
 */
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
  sdb_op_user *op = sdb_mem_zero(hub->mem, sizeof(*op));
  if (!op) return false;
  op->op.kind = SDB_OP_USER;
  op->op.owner = user;
  op->name = sdb_slice_make(user->name, user->name_size);
  op->heads = user->heads;
  user->references++; /* the operation's */
  sdb_hub_stage(hub, &op->op);
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
  while (*at && *at != user)
    at = &(*at)->hash_next;
  if (*at) {
    *at = user->hash_next;
    hub->users_count--;
  }
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

static void greet_peers(sdb_user *user, uint64_t now_ms) {
  for (sdb_peer *peer = user->peers; peer; peer = peer->user_next) {
    if (peer->state == SDB_PEER_CLOSING) continue;
    if (user->state == SDB_USER_FAILED)
      sdb_hub_close_peer(peer, 1013, "the storage cannot be read");
    else if (peer->state == SDB_PEER_GREETED)
      sdb_hub_answer_hello(peer, now_ms);
  }
}

void sdb_user_on_loaded(sdb_hub *hub, sdb_op_user *op, uint64_t now_ms) {
  sdb_user *user = op->op.owner;
  SDB_ASSERT(user->state == SDB_USER_LOADING);
  user->state = op->op.status == SDB_OK ? SDB_USER_READY : SDB_USER_FAILED;
  user->number = op->user;
  sdb_mem_free(hub->mem, op);
  greet_peers(user, now_ms);
  run_waiting(user, now_ms);
  sdb_user_release(user);
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
  for (uint32_t i = 0; i < user->overwrites_count; i++) {
    const sdb_overwrite *overwrite = &user->overwrites[i];
    if (overwrite->store == store && (singular || overwrite->object == object) &&
        overwrite->seq > seq)
      return true;
  }
  return false;
}
