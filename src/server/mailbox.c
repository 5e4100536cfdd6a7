/* server/mailbox.c: the mailbox: made, filled, taken from, freed.
 *
 * Invariant: where there is mail, or a lane that may be taken, either `announced` is set or
 * somebody is about to call `notify`. sdb_mailbox_take clears it before it looks at the lanes, so
 * that an event that comes meanwhile is told of.
 */
#include "server/mailbox.h"
#include "base/error.h"
#include "server/state.h"

#define USERS_AT_ONCE 1024
#define EVENTS_PER_MAIL 256
#define EVENTS_PER_MAIL_MAX 4096
#define JUDGE_TIMEOUT_MS 10000

/* ---- life ---- */

sdb_status sdb_mailbox_create(const sdb_mailbox_options *options, sdb_mailbox **mailbox) {
  if (options->size != sizeof(*options) || !options->notify ||
      options->events_per_mail > EVENTS_PER_MAIL_MAX)
    return SDB_INVALID_ARGUMENT;
  const sdb_mem *mem = sdb_platform_mem();
  sdb_mailbox *made = sdb_mem_zero(mem, sizeof(*made));
  if (!made) return SDB_NO_MEMORY;
  made->mem = mem;
  made->options = *options;
  if (!made->options.users_at_once) made->options.users_at_once = USERS_AT_ONCE;
  if (!made->options.events_per_mail) made->options.events_per_mail = EVENTS_PER_MAIL;
  if (!made->options.judge_timeout_ms) made->options.judge_timeout_ms = JUDGE_TIMEOUT_MS;
  made->last = &made->first;
  made->put_by_last = &made->put_by;
  pthread_mutex_init(&made->gate, NULL);
  pthread_mutex_init(&made->lock, NULL);
  *mailbox = made;
  return SDB_OK;
}

void sdb_mailbox_destroy(sdb_mailbox *mailbox) {
  if (!mailbox) return;
  SDB_ASSERT(!mailbox->database && !mailbox->put_by);
  sdb_mail_free(mailbox->first);
  pthread_mutex_destroy(&mailbox->gate);
  pthread_mutex_destroy(&mailbox->lock);
  sdb_mem_free(mailbox->mem, mailbox);
}

bool sdb_mailbox_claim(sdb_mailbox *mailbox) {
  pthread_mutex_lock(&mailbox->gate);
  bool was_used = mailbox->used;
  mailbox->used = true;
  pthread_mutex_unlock(&mailbox->gate);
  return !was_used;
}

void sdb_mailbox_set_database(sdb_mailbox *mailbox, sdb_database *database) {
  if (!mailbox) return;
  pthread_mutex_lock(&mailbox->gate);
  mailbox->database = database;
  pthread_mutex_unlock(&mailbox->gate);
}

/* ---- mail ---- */

sdb_mail_piece *sdb_mail_create(const sdb_mem *mem, sdb_mail_kind kind, size_t size, char **text) {
  if (size > SIZE_MAX / 2) return NULL;
  sdb_mail_piece *piece = sdb_mem_alloc(mem, sizeof(*piece) + size);
  if (!piece) return NULL;
  memset(piece, 0, sizeof(*piece));
  piece->mail.kind = kind;
  *text = (char *)(piece + 1);
  return piece;
}

sdb_slice sdb_mail_put(char **to, sdb_slice text) {
  sdb_slice copy = sdb_slice_make(*to, text.size);
  if (text.size > 0) memcpy(*to, text.data, text.size);
  (*to)[text.size] = 0;
  *to += text.size + 1;
  return copy;
}

void sdb_mail_free(sdb_mail *batch) {
  const sdb_mem *mem = sdb_platform_mem();
  while (batch) {
    sdb_mail_piece *piece = (sdb_mail_piece *)(void *)batch;
    batch = batch->next;
    sdb_mem_free(mem, piece->error);
    sdb_records_free(piece->records);
    sdb_events_free(mem, piece->events);
    sdb_mem_free(mem, piece);
  }
}

/* ---- filling ---- */

void sdb_mailbox_post(sdb_mailbox *mailbox, sdb_mail_piece *piece) {
  piece->mail.next = NULL;
  *mailbox->put_by_last = &piece->mail;
  mailbox->put_by_last = &piece->mail.next;
}

bool sdb_mailbox_ask(sdb_mailbox *mailbox, sdb_mail_piece *piece, size_t size) {
  if (atomic_load(&mailbox->questions_bytes) + size > SDB_QUESTIONS_BYTES_MAX) return false;
  atomic_fetch_add(&mailbox->questions_bytes, size);
  piece->question_bytes = size;
  sdb_mailbox_post(mailbox, piece);
  return true;
}

void sdb_mailbox_announce(sdb_mailbox *mailbox) {
  pthread_mutex_lock(&mailbox->lock);
  bool announced = mailbox->announced;
  mailbox->announced = true;
  pthread_mutex_unlock(&mailbox->lock);
  if (!announced) mailbox->options.notify(mailbox->options.notify_context);
}

void sdb_mailbox_publish(sdb_mailbox *mailbox) {
  if (!mailbox || (!mailbox->put_by && !mailbox->events_due)) return;
  mailbox->events_due = false;
  if (mailbox->put_by) {
    pthread_mutex_lock(&mailbox->lock);
    *mailbox->last = mailbox->put_by;
    mailbox->last = mailbox->put_by_last;
    pthread_mutex_unlock(&mailbox->lock);
    mailbox->put_by = NULL;
    mailbox->put_by_last = &mailbox->put_by;
  }
  sdb_mailbox_announce(mailbox);
}

/* ---- taking ---- */

/* The application has it now. */
static void uncount(sdb_mailbox *mailbox, const sdb_mail_piece *piece) {
  if (piece->mail.kind == SDB_MAIL_DONE) {
    atomic_fetch_sub(&mailbox->jobs, 1);
    atomic_fetch_sub(&mailbox->jobs_bytes, piece->job_bytes);
  }
  atomic_fetch_sub(&mailbox->questions_bytes, piece->question_bytes);
}

/* Cuts the first pieces, at most `max`, off the list. */
static sdb_mail *take_mail(sdb_mailbox *mailbox, size_t max, size_t *count) {
  sdb_mail *list = mailbox->first, *last = NULL;
  while (mailbox->first && *count < max) {
    last = mailbox->first;
    mailbox->first = last->next;
    uncount(mailbox, (const sdb_mail_piece *)(const void *)last);
    ++*count;
  }
  if (!mailbox->first) mailbox->last = &mailbox->first;
  if (!last) return NULL;
  last->next = NULL;
  return list;
}

/* A run as mail, with the events side by side and the user's name behind them. NULL: no memory. */
static sdb_mail_piece *mail_of(const sdb_mem *mem, const sdb_event_run *run) {
  char *text;
  size_t events_size = sdb_mem_product(run->count, sizeof(sdb_event));
  if (events_size > SIZE_MAX / 4) return NULL;
  sdb_mail_piece *piece =
      sdb_mail_create(mem, SDB_MAIL_EVENTS, events_size + run->user_size + 1, &text);
  if (!piece) return NULL;
  sdb_event *events = (sdb_event *)(void *)text;
  text += events_size;
  piece->mail.user = sdb_mail_put(&text, sdb_slice_make(run->user, run->user_size));
  piece->mail.ticket = run->ticket * SDB_TICKET_KINDS + SDB_MAIL_EVENTS;
  piece->mail.events = events;
  for (sdb_pending_event *pending = run->first; pending; pending = pending->next) {
    *events = pending->event;
    events->user = piece->mail.user.data;
    events++;
  }
  piece->mail.events_count = run->count;
  piece->events = run->first;
  return piece;
}

/* Without memory a run is lost, and said to be: its events were acknowledged to the device. */
static sdb_mail *take_events(sdb_mailbox *mailbox, sdb_database *database, size_t max) {
  const sdb_mailbox_options *options = &mailbox->options;
  sdb_mail *first = NULL, **last = &first;
  sdb_event_run run;
  for (size_t i = 0; i < max && sdb_lanes_take(&database->lanes, options->users_at_once,
                                    options->events_per_mail, &run);
       i++) {
    sdb_mail_piece *piece = mail_of(mailbox->mem, &run);
    if (!piece) {
      sdb_server_log(database, SDB_LOG_ERROR, "event_dropped",
          "out of memory: the application is not told of %zu events of %s", run.count, run.user);
      sdb_events_free(mailbox->mem, run.first);
      sdb_lanes_end(&database->lanes, run.ticket);
      continue;
    }
    *last = &piece->mail;
    last = &piece->mail.next;
  }
  return first;
}

sdb_mail *sdb_mailbox_take(sdb_mailbox *mailbox, size_t max) {
  size_t count = 0;
  if (max == 0) max = 1;
  pthread_mutex_lock(&mailbox->lock);
  sdb_mail *mail = take_mail(mailbox, max, &count);
  if (!mail) mailbox->announced = false;
  pthread_mutex_unlock(&mailbox->lock);
  if (count == max) return mail;
  pthread_mutex_lock(&mailbox->gate);
  sdb_mail *events =
      mailbox->database ? take_events(mailbox, mailbox->database, max - count) : NULL;
  pthread_mutex_unlock(&mailbox->gate);
  if (!mail && events) {
    pthread_mutex_lock(&mailbox->lock);
    mailbox->announced = true; /* it will come back until there is nothing */
    pthread_mutex_unlock(&mailbox->lock);
  }
  if (!mail) return events;
  sdb_mail *last = mail;
  while (last->next)
    last = last->next;
  last->next = events;
  return mail;
}

/* ---- what is asked for ---- */

static sdb_status wish(sdb_mailbox *mailbox, const sdb_store *store, bool judge, sdb_error *error) {
  sdb_status status = SDB_OK;
  pthread_mutex_lock(&mailbox->gate);
  sdb_database *database = mailbox->database;
  int index = database ? sdb_interest_store(database, store, error) : -1;
  if (!database)
    status = sdb_error_set(error, SDB_CLOSED, "the mailbox has no database", NULL, NULL);
  else if (index < 0)
    status = SDB_UNKNOWN_STORE;
  else
    sdb_interest_set(&database->interest, (uint16_t)index, judge);
  pthread_mutex_unlock(&mailbox->gate);
  return status;
}

sdb_status sdb_mailbox_subscribe(sdb_mailbox *mailbox, const sdb_store *store, sdb_error *error) {
  return wish(mailbox, store, false, error);
}

sdb_status sdb_mailbox_judge(sdb_mailbox *mailbox, const sdb_store *store, sdb_error *error) {
  return wish(mailbox, store, true, error);
}
