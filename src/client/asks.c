/* client/asks.c: see asks.h. */
#include "client/asks.h"
#include "base/error.h"
#include "client/state.h"

void sdb_asks_init(sdb_asks *asks) {
  memset(asks, 0, sizeof(*asks));
  asks->last = &asks->first;
  pthread_mutex_init(&asks->lock, NULL);
  pthread_cond_init(&asks->left, NULL);
}

void sdb_asks_destroy(sdb_asks *asks) {
  SDB_ASSERT(!asks->first && asks->inside == 0);
  pthread_cond_destroy(&asks->left);
  pthread_mutex_destroy(&asks->lock);
}

/* ---- askers ---- */

void sdb_asks_enter(sdb_asks *asks) {
  pthread_mutex_lock(&asks->lock);
  asks->inside++;
  pthread_mutex_unlock(&asks->lock);
}

void sdb_asks_leave(sdb_asks *asks) {
  pthread_mutex_lock(&asks->lock);
  SDB_ASSERT(asks->inside > 0);
  /* Under the lock: whoever waits for the last one frees it all. */
  if (--asks->inside == 0) pthread_cond_broadcast(&asks->left);
  pthread_mutex_unlock(&asks->lock);
}

void sdb_asks_wait_left(sdb_asks *asks) {
  pthread_mutex_lock(&asks->lock);
  while (asks->inside > 0)
    pthread_cond_wait(&asks->left, &asks->lock);
  pthread_mutex_unlock(&asks->lock);
}

static sdb_status enqueue(sdb_client *client, sdb_ask *ask) {
  sdb_asks *asks = &client->asks;
  pthread_mutex_lock(&asks->lock);
  bool closed = asks->closed;
  if (!closed) {
    bool was_empty = !asks->first;
    ask->next = NULL;
    *asks->last = ask;
    asks->last = &ask->next;
    asks->inside++;
    if (was_empty) sdb_net_wake(client->net);
  }
  pthread_mutex_unlock(&asks->lock);
  return closed ? SDB_CLOSED : SDB_OK;
}

static sdb_status refuse(sdb_ask *ask, sdb_status status, const char *message) {
  return sdb_error_set(ask->error, status, message, NULL, NULL);
}

static sdb_status wait_for(sdb_client *client, sdb_ask *ask) {
  sem_init(&ask->done, 0, 0);
  sdb_status status = enqueue(client, ask);
  if (status == SDB_OK) {
    while (sem_wait(&ask->done) != 0)
      continue; /* a signal interrupted it */
    status = ask->status;
    sdb_asks_leave(&client->asks);
  } else {
    refuse(ask, status, "the client is closed");
  }
  sem_destroy(&ask->done);
  return status;
}

static void link_begun(sdb_asks *asks, sdb_ask *ask) {
  ask->previous = NULL;
  ask->next = asks->begun;
  if (ask->next) ask->next->previous = ask;
  asks->begun = ask;
}

static void unlink_begun(sdb_asks *asks, sdb_ask *ask) {
  if (ask->next) ask->next->previous = ask->previous;
  *(ask->previous ? &ask->previous->next : &asks->begun) = ask->next;
}

static void carry_out(sdb_client *client, sdb_ask *ask) {
  link_begun(&client->asks, ask);
  if (client->closing) {
    sdb_ask_end(client, ask, SDB_CLOSED, NULL);
  } else if (ask->run) {
    ask->run(ask, client);
  } else {
    ask->request.tag = ask;
    if (!sdb_replica_request_begin(client->replica, &ask->request, sdb_device_now_ms()))
      sdb_ask_end(client, ask, SDB_NO_MEMORY, NULL);
  }
}

/* A callback is never inside one of the replica's functions or outputs (loop.c), so the replica may
 * be used; and our storages complete within submit, so that what was asked ends in the drain. Only
 * where the storage just failed for want of memory it ends later: then the ask, which is therefore
 * no longer on the stack, is let go. */
static sdb_status run_here(sdb_client *client, sdb_ask *asked) {
  if (!client->in_callback)
    return refuse(asked, SDB_CONFLICT, "called inside a rule or a log function");
  sdb_ask *ask = sdb_mem_alloc(client->mem, sizeof(*ask));
  if (!ask) return refuse(asked, SDB_NO_MEMORY, "out of memory");
  *ask = *asked;
  ask->here = true;
  client->in_callback = false; /* a rule that is asked now must not come here again */
  carry_out(client, ask);
  sdb_device_drain(client);
  client->in_callback = true;
  if (!ask->ended) {
    ask->abandoned = true;
    ask->error = NULL;
    return refuse(asked, SDB_NO_MEMORY, "out of memory");
  }
  *asked = *ask;
  sdb_mem_free(client->mem, ask);
  return asked->status;
}

sdb_status sdb_ask_run(sdb_client *client, sdb_ask *ask) {
  return sdb_device_on_thread(client) ? run_here(client, ask) : wait_for(client, ask);
}

/* ---- the client's thread ---- */

static sdb_ask *take(sdb_asks *asks, bool close) {
  pthread_mutex_lock(&asks->lock);
  sdb_ask *list = asks->first;
  asks->first = NULL;
  asks->last = &asks->first;
  if (close) asks->closed = true;
  pthread_mutex_unlock(&asks->lock);
  return list;
}

void sdb_asks_carry_out(sdb_client *client) {
  sdb_ask *ask = take(&client->asks, false);
  while (ask) {
    sdb_ask *next = ask->next;
    carry_out(client, ask);
    ask = next;
  }
}

void sdb_asks_close(sdb_client *client) {
  SDB_ASSERT(client->closing);
  sdb_ask *ask = take(&client->asks, true);
  while (ask) {
    sdb_ask *next = ask->next;
    carry_out(client, ask);
    ask = next;
  }
}

void sdb_asks_end_begun(sdb_client *client) {
  while (client->asks.begun)
    sdb_ask_end(client, client->asks.begun, SDB_CLOSED, NULL);
}

void sdb_ask_end(sdb_client *client, sdb_ask *ask, sdb_status status, const sdb_error *error) {
  unlink_begun(&client->asks, ask);
  /* Before the asker goes on: it may look at the status for what it just did. */
  sdb_device_note_status(client);
  ask->status = status;
  if (status != SDB_OK && ask->error) {
    if (error)
      *ask->error = *error;
    else
      sdb_error_set(ask->error, status, sdb_status_text(status), NULL, NULL);
  }
  ask->ended = true;
  if (ask->abandoned) {
    sdb_client_records_free(ask->records);
    sdb_mem_free(client->mem, ask);
  } else if (!ask->here) {
    sem_post(&ask->done);
  }
}
