/* server/mailbox.h: the inside of <syncdb/mailbox.h>.
 *
 * Two locks. `gate` is held by the application's threads while they use the database, so that it
 * can be taken from them; the library's threads never take it. `lock` is that of the mail itself.
 *
 * The loop puts mail by, and publishes it at the end of its turn: one lock and one notify for all.
 */
#ifndef SDB_SERVER_MAILBOX_H
#define SDB_SERVER_MAILBOX_H

#include "server/calls.h"
#include "server/lanes.h"
#include <stdatomic.h>
#include <syncdb/mailbox.h>

/* What a job that is not done holds, in bytes over all; and what questions (JUDGE, AUTHENTICATE)
 * that were not taken hold. */
#define SDB_JOBS_BYTES_MAX ((size_t)256 * 1024 * 1024)
#define SDB_QUESTIONS_BYTES_MAX ((size_t)64 * 1024 * 1024)

/* What a ticket is for: its lowest bits. */
#define SDB_TICKET_KINDS 8

/* A piece of mail and what it owns; text stands behind it. */
typedef struct sdb_mail_piece {
  sdb_mail mail; /* first: it is what the application holds */
  sdb_error *error;
  sdb_records *records;
  sdb_pending_event *events;
  size_t job_bytes;      /* DONE: counted in `jobs_bytes` until it is taken */
  size_t question_bytes; /* JUDGE, AUTHENTICATE: counted in `questions_bytes` until it is taken */
} sdb_mail_piece;

struct sdb_mailbox {
  const sdb_mem *mem;
  sdb_mailbox_options options;
  pthread_mutex_t gate;
  sdb_database *database; /* NULL: not opened yet, or closed */
  bool used;
  pthread_mutex_t lock;
  sdb_mail *first, **last;
  bool announced; /* `notify` was called, and the application has not found it empty since */
  atomic_size_t jobs, jobs_bytes, questions_bytes;
  /* the loop's */
  sdb_mail *put_by, **put_by_last;
  bool events_due;
};

/* ---- the database's side ---- */

/* Takes it for a database. False: it is some database's already, or was. */
bool sdb_mailbox_claim(sdb_mailbox *mailbox);

/* Opens the gate to `database`; NULL closes it, and waits for who is inside. NULL mailbox: nothing
 * happens. */
void sdb_mailbox_set_database(sdb_mailbox *mailbox, sdb_database *database);

/* Zeroed, with `size` bytes at `*text`, or NULL. */
sdb_mail_piece *sdb_mail_create(const sdb_mem *mem, sdb_mail_kind kind, size_t size, char **text);

/* Copies `text` to `*to`, which it moves on, with a NUL behind it that is not counted. */
sdb_slice sdb_mail_put(char **to, sdb_slice text);

/* The loop: puts mail by for the application. */
void sdb_mailbox_post(sdb_mailbox *mailbox, sdb_mail_piece *piece);

/* The loop: whether `size` bytes more of questions may wait; if so, counts them. */
bool sdb_mailbox_ask(sdb_mailbox *mailbox, sdb_mail_piece *piece, size_t size);

/* The loop: hands over what was put by, and tells the application. NULL mailbox: nothing
 * happens. */
void sdb_mailbox_publish(sdb_mailbox *mailbox);

/* The loop, or any thread inside the gate: tells the application that there is something. */
void sdb_mailbox_announce(sdb_mailbox *mailbox);

/* ---- jobs.c ---- */

/* The loop: a job's call came to its end. */
void sdb_job_done(sdb_call *call, const sdb_error *error);

#endif
