/* server/lanes.c: see lanes.h.
 *
 * Invariant: a lane is in the table while it has events or a ticket; it is in the ready
 * list if and only if it has events and no ticket.
 */
#include "server/lanes.h"
#include "hub/limits.h"
#include "platform/platform.h"

/* Out of memory is an answer here, not the end of the process. */
#define HASH_NONFATAL_OOM 1
#define uthash_malloc(size) sdb_mem_alloc(sdb_platform_mem(), (size))
#define uthash_free(pointer, size) sdb_mem_free(sdb_platform_mem(), (pointer))
#include <uthash.h>

struct sdb_lane {
  UT_hash_handle hh;
  sdb_lane *next; /* in the ready list */
  sdb_pending_event *first, **last;
  size_t events; /* waiting or being handled */
  size_t out;    /* being handled */
  size_t bytes, out_bytes;
  size_t user_size;
  char user[SDB_USER_NAME_MAX + 1];
};

void sdb_lanes_init(sdb_lanes *lanes, const sdb_mem *mem) {
  memset(lanes, 0, sizeof(*lanes));
  lanes->mem = mem;
  lanes->last = &lanes->first;
  sdb_tickets_init(&lanes->out, mem);
  pthread_mutex_init(&lanes->lock, NULL);
  pthread_cond_init(&lanes->ready, NULL);
}

void sdb_lanes_destroy(sdb_lanes *lanes) {
  sdb_lanes_drop(lanes);
  sdb_tickets_free(&lanes->out);
  pthread_cond_destroy(&lanes->ready);
  pthread_mutex_destroy(&lanes->lock);
}

/* ---- adding ---- */

static sdb_lane *lane_of(sdb_lanes *lanes, sdb_slice user) {
  sdb_lane *lane;
  HASH_FIND(hh, lanes->lanes, user.data, user.size, lane);
  if (lane) return lane;
  lane = sdb_mem_zero(lanes->mem, sizeof(*lane));
  if (!lane) return NULL;
  lane->last = &lane->first;
  lane->user_size = user.size;
  memcpy(lane->user, user.data, user.size);
  HASH_ADD(hh, lanes->lanes, user, user.size, lane);
  if (lane->hh.tbl) return lane;
  sdb_mem_free(lanes->mem, lane);
  return NULL;
}

static void make_ready(sdb_lanes *lanes, sdb_lane *lane) {
  lane->next = NULL;
  *lanes->last = lane;
  lanes->last = &lane->next;
  pthread_cond_signal(&lanes->ready);
}

static sdb_slice put(char **to, sdb_slice text) {
  sdb_slice copy = {*to, text.size};
  if (text.size) memcpy(*to, text.data, text.size);
  *to += text.size;
  return copy;
}

static sdb_pending_event *copy_event(
    const sdb_mem *mem, const sdb_store *store, const sdb_hub_output *output) {
  size_t bytes = sizeof(sdb_pending_event) + output->row.object.size + output->previous.size;
  sdb_pending_event *pending = sdb_mem_alloc(mem, bytes);
  if (!pending) return NULL;
  char *text = (char *)(pending + 1);
  pending->next = NULL;
  pending->bytes = bytes;
  pending->store = output->row.store;
  pending->event = (sdb_event){
      .size = sizeof(sdb_event),
      .action = output->action,
      .store = store,
      .id = output->row.id,
      .event_id = output->row.event_id,
      .client_id = output->row.client_id,
      .object = put(&text, output->row.object),
      .previous = put(&text, output->previous),
  };
  return pending;
}

bool sdb_lanes_add(sdb_lanes *lanes, const sdb_store *store, const sdb_hub_output *output) {
  sdb_pending_event *pending = copy_event(lanes->mem, store, output);
  if (!pending) return false;
  pthread_mutex_lock(&lanes->lock);
  sdb_lane *lane = lane_of(lanes, output->user);
  if (lane) {
    bool was_idle = lane->events == 0;
    pending->event.user = lane->user;
    *lane->last = pending;
    lane->last = &pending->next;
    lane->events++;
    lanes->events++;
    lane->bytes += pending->bytes;
    lanes->bytes += pending->bytes;
    if (was_idle) make_ready(lanes, lane);
  }
  pthread_mutex_unlock(&lanes->lock);
  if (!lane) sdb_mem_free(lanes->mem, pending);
  return lane != NULL;
}

bool sdb_lanes_accept(sdb_lanes *lanes, sdb_slice user) {
  sdb_lane *lane;
  pthread_mutex_lock(&lanes->lock);
  HASH_FIND(hh, lanes->lanes, user.data, user.size, lane);
  bool accepts = lanes->events < SDB_LANES_EVENTS_MAX && lanes->bytes < SDB_LANES_BYTES_MAX;
  if (lane && (lane->events >= SDB_LANE_EVENTS_MAX || lane->bytes >= SDB_LANE_BYTES_MAX))
    accepts = false;
  pthread_mutex_unlock(&lanes->lock);
  return accepts;
}

/* ---- taking ---- */

/* Cuts the first events, at most `max`, off the lane: one, or what is not too long together. */
static void cut(sdb_lane *lane, size_t max, sdb_event_run *run) {
  sdb_pending_event *last = lane->first;
  run->first = last;
  run->count = 1;
  run->bytes = last->bytes;
  while (last->next && run->count < max && run->bytes + last->next->bytes <= SDB_RUN_BYTES_MAX) {
    last = last->next;
    run->count++;
    run->bytes += last->bytes;
  }
  lane->first = last->next;
  if (!lane->first) lane->last = &lane->first;
  last->next = NULL;
}

/* Of the first lane that is ready. False: no memory. */
static bool take_first(sdb_lanes *lanes, size_t max, sdb_event_run *run) {
  sdb_lane *lane = lanes->first;
  run->ticket = sdb_tickets_add(&lanes->out, lane);
  if (run->ticket == 0) return false;
  lanes->first = lane->next;
  if (!lanes->first) lanes->last = &lanes->first;
  lanes->out_count++;
  cut(lane, max, run);
  lane->out = run->count;
  lane->out_bytes = run->bytes;
  run->user = lane->user;
  run->user_size = lane->user_size;
  return true;
}

bool sdb_lanes_take(sdb_lanes *lanes, size_t users_max, size_t max, sdb_event_run *run) {
  pthread_mutex_lock(&lanes->lock);
  bool taken =
      !lanes->closed && lanes->first && lanes->out_count < users_max && take_first(lanes, max, run);
  pthread_mutex_unlock(&lanes->lock);
  return taken;
}

/* Without memory for a ticket it waits for the next event, or the end of a run, to try again. */
bool sdb_lanes_wait(sdb_lanes *lanes, sdb_event_run *run) {
  bool taken = false;
  pthread_mutex_lock(&lanes->lock);
  while (!lanes->closed && !taken) {
    if (lanes->first) taken = take_first(lanes, 1, run);
    if (!taken) pthread_cond_wait(&lanes->ready, &lanes->lock);
  }
  pthread_mutex_unlock(&lanes->lock);
  return taken;
}

/* The lane goes on, or away if it is empty. True: it goes on. */
static bool end_run(sdb_lanes *lanes, sdb_lane *lane) {
  lanes->out_count--;
  lanes->events -= lane->out;
  lane->events -= lane->out;
  lanes->bytes -= lane->out_bytes;
  lane->bytes -= lane->out_bytes;
  lane->out = lane->out_bytes = 0;
  if (lane->first) {
    make_ready(lanes, lane);
    return true;
  }
  SDB_ASSERT(lane->events == 0 && lane->bytes == 0);
  HASH_DEL(lanes->lanes, lane);
  sdb_mem_free(lanes->mem, lane);
  return false;
}

/* Another lane may have waited for its number of users to shrink, or for memory. */
bool sdb_lanes_end(sdb_lanes *lanes, uint64_t ticket) {
  pthread_mutex_lock(&lanes->lock);
  sdb_lane *lane = sdb_tickets_take(&lanes->out, ticket);
  bool more = lane && end_run(lanes, lane);
  if (lane && !more && lanes->first) {
    more = true;
    pthread_cond_signal(&lanes->ready);
  }
  pthread_mutex_unlock(&lanes->lock);
  return more;
}

void sdb_events_free(const sdb_mem *mem, sdb_pending_event *first) {
  while (first) {
    sdb_pending_event *next = first->next;
    sdb_mem_free(mem, first);
    first = next;
  }
}

/* ---- ending ---- */

void sdb_lanes_close(sdb_lanes *lanes) {
  pthread_mutex_lock(&lanes->lock);
  lanes->closed = true;
  pthread_cond_broadcast(&lanes->ready);
  pthread_mutex_unlock(&lanes->lock);
}

size_t sdb_lanes_drop(sdb_lanes *lanes) {
  sdb_lane *lane, *next;
  pthread_mutex_lock(&lanes->lock);
  size_t dropped = lanes->events;
  HASH_ITER(hh, lanes->lanes, lane, next) {
    sdb_events_free(lanes->mem, lane->first);
    HASH_DEL(lanes->lanes, lane);
    sdb_mem_free(lanes->mem, lane);
  }
  sdb_tickets_free(&lanes->out); /* an answer that comes later finds nothing */
  lanes->first = NULL;
  lanes->last = &lanes->first;
  lanes->events = lanes->bytes = lanes->out_count = 0;
  pthread_mutex_unlock(&lanes->lock);
  return dropped;
}

size_t sdb_lanes_backlog(sdb_lanes *lanes) {
  pthread_mutex_lock(&lanes->lock);
  size_t events = lanes->events;
  pthread_mutex_unlock(&lanes->lock);
  return events;
}
