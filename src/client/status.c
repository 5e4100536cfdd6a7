/* client/status.c: how the client stands: for everybody to read, to wait for, and to be told of. */
#include "base/error.h"
#include "client/state.h"
#include <errno.h>
#include <time.h>

#define WAIT_MAX_MS (1000ULL * 60 * 60 * 24 * 365)

void sdb_standing_init(sdb_standing *standing) {
  memset(standing, 0, sizeof(*standing));
  standing->now.size = sizeof(standing->now);
  standing->now.phase = SDB_CLIENT_OFFLINE;
  standing->now.storage = SDB_CLIENT_MEMORY;
  standing->now.offline_since_ms = sdb_platform_now_ms();
  pthread_mutex_init(&standing->lock, NULL);
  pthread_condattr_t attributes;
  pthread_condattr_init(&attributes);
  pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
  pthread_cond_init(&standing->changed, &attributes);
  pthread_condattr_destroy(&attributes);
}

void sdb_standing_destroy(sdb_standing *standing) {
  pthread_cond_destroy(&standing->changed);
  pthread_mutex_destroy(&standing->lock);
}

/* ---- what it is now ---- */

static bool is_connected(sdb_client_phase phase) {
  return phase == SDB_CLIENT_CATCHING_UP || phase == SDB_CLIENT_LIVE;
}

static void add_problem(sdb_client_status *status, const char *problem) {
  if (!problem || !problem[0]) return;
  size_t capacity = sizeof(status->problem);
  if (status->problem[0]) sdb_text_append(status->problem, capacity, sdb_slice_of("; "));
  sdb_text_append(status->problem, capacity, sdb_slice_of(problem));
}

static bool same(const sdb_client_status *a, const sdb_client_status *b) {
  return a->phase == b->phase && a->storage == b->storage &&
         a->offline_since_ms == b->offline_since_ms && a->stores_synced == b->stores_synced &&
         a->events_received == b->events_received && a->pending == b->pending &&
         a->failed == b->failed && a->close_code == b->close_code &&
         strcmp(a->problem, b->problem) == 0;
}

static void read_status(const sdb_client *client, sdb_client_status *status) {
  sdb_replica_status replica;
  sdb_replica_get_status(client->replica, &replica);
  *status = (sdb_client_status){
      .size = sizeof(*status),
      .phase = client->closing ? SDB_CLIENT_CLOSED : replica.phase,
      .storage =
          sdb_device_storage_is_durable(&client->storage) ? SDB_CLIENT_DURABLE : SDB_CLIENT_MEMORY,
      .stores_synced = replica.stores_synced,
      .events_received = replica.events_received,
      .pending = replica.pending,
      .failed = replica.failed,
      .close_code = replica.close_code,
  };
  add_problem(status, client->storage.damage);
  add_problem(status, client->storage.problem);
  add_problem(status, replica.problem);
}

void sdb_device_note_status(sdb_client *client) {
  sdb_standing *standing = &client->standing;
  sdb_client_status now;
  read_status(client, &now);
  pthread_mutex_lock(&standing->lock);
  const sdb_client_status *before = &standing->now;
  if (!is_connected(now.phase))
    now.offline_since_ms =
        is_connected(before->phase) ? sdb_platform_now_ms() : before->offline_since_ms;
  bool awaited = client->token_awaited || client->refused_now;
  bool changed = !same(&now, before) || awaited != standing->token_awaited;
  if (changed) {
    standing->now = now;
    standing->token_awaited = awaited;
    pthread_cond_broadcast(&standing->changed);
  }
  pthread_mutex_unlock(&standing->lock);
  if (changed && client->dispatch && client->status) sdb_feed_signal(&client->feed);
}

/* ---- telling ---- */

bool sdb_device_status_waits(sdb_client *client) {
  sdb_standing *standing = &client->standing;
  if (!client->status) return false;
  pthread_mutex_lock(&standing->lock);
  bool waits = !same(&standing->now, &standing->told);
  pthread_mutex_unlock(&standing->lock);
  return waits;
}

bool sdb_device_take_status(sdb_client *client, sdb_client_status *status) {
  sdb_standing *standing = &client->standing;
  if (!client->status) return false;
  pthread_mutex_lock(&standing->lock);
  bool changed = !same(&standing->now, &standing->told);
  *status = standing->told = standing->now;
  pthread_mutex_unlock(&standing->lock);
  return changed;
}

void sdb_client_get_status(sdb_client *client, sdb_client_status *status) {
  sdb_standing *standing = &client->standing;
  size_t size = status->size < sizeof(*status) ? status->size : sizeof(*status);
  if (size < sizeof(status->size)) return;
  size_t told_size = status->size;
  pthread_mutex_lock(&standing->lock);
  memcpy(status, &standing->now, size);
  pthread_mutex_unlock(&standing->lock);
  status->size = told_size;
}

/* ---- waiting ---- */

/* SDB_UNAVAILABLE: not yet. */
static sdb_status reached(const sdb_standing *standing, sdb_client_goal goal) {
  const sdb_client_status *status = &standing->now;
  if (status->phase == SDB_CLIENT_CLOSED) return SDB_CLOSED;
  if (goal == SDB_CLIENT_SYNCED && status->phase == SDB_CLIENT_LIVE) return SDB_OK;
  if (goal == SDB_CLIENT_DELIVERED && status->pending == 0) return SDB_OK;
  bool given_up = status->phase == SDB_CLIENT_UNAUTHORIZED && !standing->token_awaited;
  return given_up ? SDB_UNAUTHORIZED : SDB_UNAVAILABLE;
}

static struct timespec deadline_in(uint64_t timeout_ms) {
  if (timeout_ms > WAIT_MAX_MS) timeout_ms = WAIT_MAX_MS;
  uint64_t at_us = sdb_platform_monotonic_us() + timeout_ms * 1000;
  return (struct timespec){
      .tv_sec = (time_t)(at_us / 1000000), .tv_nsec = (long)(at_us % 1000000 * 1000)};
}

sdb_status sdb_client_wait(sdb_client *client, sdb_client_goal goal, uint64_t timeout_ms) {
  sdb_standing *standing = &client->standing;
  if (sdb_device_on_thread(client)) return SDB_CONFLICT;
  struct timespec deadline = deadline_in(timeout_ms);
  sdb_asks_enter(&client->asks);
  pthread_mutex_lock(&standing->lock);
  sdb_status status = reached(standing, goal);
  int timed_out = 0;
  while (status == SDB_UNAVAILABLE && timed_out != ETIMEDOUT) {
    timed_out = pthread_cond_timedwait(&standing->changed, &standing->lock, &deadline);
    status = reached(standing, goal);
  }
  pthread_mutex_unlock(&standing->lock);
  sdb_asks_leave(&client->asks);
  return status;
}
