/* syncdb/mailbox.h: a database for an application that runs on a loop of its own (Node, GLib, Qt).
 *
 * Nothing here blocks and nothing calls the application's code from a thread of the library, but
 * for one small `notify`. What the library has for the application waits in the mailbox, is taken
 * in batches, and is answered in batches:
 *
 *   sdb_mailbox_options wishes = SDB_MAILBOX_OPTIONS_INIT;
 *   wishes.notify = wake_my_loop;                       (an eventfd, a uv_async_t...)
 *   sdb_mailbox_create(&wishes, &mailbox);
 *   options.mailbox = mailbox;                          (of sdb_database_open)
 *   sdb_mailbox_subscribe(mailbox, chat_message, &error);
 *
 *   on my loop:  while ((batch = sdb_mailbox_take(mailbox, 1024))) {
 *                  for (mail = batch; mail; mail = mail->next) ...
 *                  sdb_mailbox_answer(mailbox, answers, count);
 *                  sdb_mail_free(batch);
 *                }
 *
 * Threads. Every function may be called on any thread, several at once, and none waits for the
 * loop, the storage or a device. The mailbox outlives its database: what was not taken when the
 * database closed can still be taken, and what is submitted or answered then gets SDB_CLOSED or is
 * ignored, so that a close on one thread and the use on another need no agreement.
 */
#ifndef SYNCDB_MAILBOX_H
#define SYNCDB_MAILBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <syncdb/database.h>
#include <syncdb/slice.h>
#include <syncdb/status.h>
#include <syncdb/store.h>
#include <syncdb/uuid.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- life ---- */

/* Mail has come, and there was none. Called once until sdb_mailbox_take said that there is no more
 * (NULL). On any of the library's threads, or inside sdb_mailbox_answer; it must be quick, and call
 * no function of the library. Never called once sdb_database_close has returned. */
typedef void (*sdb_mailbox_notify_fn)(void *context);

/* Start from SDB_MAILBOX_OPTIONS_INIT: zero stands for the default everywhere. */
typedef struct sdb_mailbox_options {
  size_t size; /* of this struct: lets it grow in later versions */
  sdb_mailbox_notify_fn notify;
  void *notify_context;
  uint32_t users_at_once;    /* whose events may be out, taken and not answered, at one time: the
                                next user's wait. Default 1024 */
  uint32_t events_per_mail;  /* default 256, at most 4096 */
  uint32_t judge_timeout_ms; /* a change without a verdict for so long is refused as `unavailable`
                                and may be sent again. Default 10,000 */
} sdb_mailbox_options;

#define SDB_MAILBOX_OPTIONS_INIT                                                                   \
  { .size = sizeof(sdb_mailbox_options) }

/* Makes an empty mailbox, for one database (sdb_database_options.mailbox). On SDB_OK `*mailbox` is
 * the caller's until sdb_mailbox_destroy. SDB_INVALID_ARGUMENT: an option, or no `notify`;
 * SDB_NO_MEMORY. */
SDB_API SDB_MUST_CHECK sdb_status sdb_mailbox_create(
    const sdb_mailbox_options *options, sdb_mailbox **mailbox);

/* Frees it, with the mail that was not taken; batches that were taken stay the caller's. Its
 * database must be closed, or never have been opened. NULL is allowed. */
SDB_API void sdb_mailbox_destroy(sdb_mailbox *mailbox);

/* ---- what is asked for ---- */

/* From now on each change that a client makes in `store` comes as SDB_MAIL_EVENTS, after it is
 * durable: as sdb_subscribe, which gives SDB_CONFLICT for a database that has a mailbox. Calling it
 * again changes nothing. SDB_UNKNOWN_STORE: the database was opened without it; SDB_CLOSED: there
 * is no database, or it is closed. */
SDB_API SDB_MUST_CHECK sdb_status sdb_mailbox_subscribe(
    sdb_mailbox *mailbox, const sdb_store *store, sdb_error *error);

/* From now on each change that a client makes in `store` comes as SDB_MAIL_JUDGE, once the schema
 * and the store's own rules have said yes, and is stored only if the answer is yes: for rules that
 * only the application can run. Set it before the database is listened on. Errors as
 * sdb_mailbox_subscribe. */
SDB_API SDB_MUST_CHECK sdb_status sdb_mailbox_judge(
    sdb_mailbox *mailbox, const sdb_store *store, sdb_error *error);

/* ---- mail ---- */

typedef enum sdb_mail_kind {
  SDB_MAIL_DONE = 1, /* a job was carried out, or could not be. No answer */
  SDB_MAIL_EVENTS,   /* changes of one user, in order. Answer when all of them are dealt with: the
                        next of this user come only then */
  SDB_MAIL_JUDGE,    /* may this change be? Answer with SDB_OK, or SDB_REJECTED or
                        SDB_INVALID_OBJECT with a message and maybe a path. The changes that the
                        same connection sends next wait behind it, those of others do not; several
                        of one connection may be out at once */
  SDB_MAIL_AUTHENTICATE /* who is this? Answer with SDB_OK and a user, or anything else: the
                           connection closes with 4401. No answer within the hello timeout: 1013,
                           and the device tries again later */
} sdb_mail_kind;

/* What a change or a device shows; which members are set depends on the kind. All that it points to
 * belongs to it, and goes with sdb_mail_free. Text is UTF-8. */
typedef struct sdb_mail sdb_mail;
struct sdb_mail {
  sdb_mail *next; /* in the batch */
  sdb_mail_kind kind;
  uint64_t ticket;        /* EVENTS, JUDGE, AUTHENTICATE: for the answer; below 2^53, never 0 */
  const sdb_store *store; /* JUDGE, DONE */
  sdb_slice user;         /* EVENTS, JUDGE; ends with a NUL too */

  /* DONE */
  uint64_t tag; /* the job's */
  sdb_status status;
  const sdb_error *error;     /* message and path; NULL where `status` is SDB_OK */
  sdb_receipt receipt;        /* PUSH, UPDATE, REMOVE, PARTIAL_COMMIT; PARTIAL_BEGIN: the id */
  const sdb_records *records; /* GET, LIST, SINGULAR that are SDB_OK; not for sdb_records_free */

  /* EVENTS */
  size_t events_count;
  const sdb_event *events;

  /* JUDGE */
  sdb_action action;
  sdb_slice object; /* the new one; of a DELETE the one that is to go */

  /* AUTHENTICATE */
  sdb_slice
      token; /* of the hello or auth message, or else as sdb_credentials.token; may be empty */
  sdb_slice remote; /* the device's address as text */
  sdb_slice head;   /* the HTTP request that opened the connection, as it came: the request line and
                       the headers, to the empty line */
};

/* Takes what is there, at most `max` (1 or more) pieces of mail: a list, oldest first but events
 * last, for sdb_mail_free. NULL: nothing is there, and `notify` will be called for the next. Any
 * thread. */
SDB_API sdb_mail *sdb_mailbox_take(sdb_mailbox *mailbox, size_t max);

/* Frees a whole batch; NULL is allowed. Answers may be given before or after that. */
SDB_API void sdb_mail_free(sdb_mail *batch);

typedef struct sdb_mail_answer {
  uint64_t ticket;
  sdb_status status;   /* EVENTS: not looked at. JUDGE: SDB_OK, SDB_REJECTED, SDB_INVALID_OBJECT;
                          any other is sent to the device as SDB_UNAVAILABLE */
  sdb_slice message;   /* of a refusal; empty: that of the status. Cut at 255 bytes */
  sdb_slice path;      /* of a refusal, a JSON Pointer; cut likewise */
  sdb_slice user;      /* AUTHENTICATE: 1 to 255 bytes of UTF-8, else it is a refusal */
  uint64_t expires_ms; /* AUTHENTICATE: since the epoch; 0: never */
} sdb_mail_answer;

/* Answers mail; everything is copied. A ticket that nobody waits for any more (timed out, the
 * device is gone, the database closed), or that was answered before, is ignored. Never waits.
 * SDB_OK; SDB_NO_MEMORY: verdicts and identities among them were not taken, and time out. */
SDB_API SDB_MUST_CHECK sdb_status sdb_mailbox_answer(
    sdb_mailbox *mailbox, const sdb_mail_answer *answers, size_t count);

/* ---- jobs: what the functions of database.h do, without waiting ---- */

typedef enum sdb_job_kind {
  SDB_JOB_PUSH = 1,       /* store, object */
  SDB_JOB_UPDATE,         /* store, id, object */
  SDB_JOB_REMOVE,         /* store, id */
  SDB_JOB_GET,            /* store, id */
  SDB_JOB_LIST,           /* store, before, limit */
  SDB_JOB_SINGULAR,       /* store */
  SDB_JOB_PARTIAL_BEGIN,  /* store, object; sets `partial` at once */
  SDB_JOB_PARTIAL_APPEND, /* partial, field, text */
  SDB_JOB_PARTIAL_SET,    /* partial, object */
  SDB_JOB_PARTIAL_COMMIT, /* partial */
  SDB_JOB_PARTIAL_ABORT   /* partial */
} sdb_job_kind;

/* Start from zero and set what the kind asks for, and `user`. Slices are copied. */
typedef struct sdb_job {
  sdb_job_kind kind;
  uint64_t tag;   /* comes back in the mail */
  sdb_slice user; /* 1 to 255 bytes of UTF-8 */
  const sdb_store *store;
  sdb_uuid id;
  sdb_slice object;
  sdb_uuid before; /* LIST: as sdb_list's */
  uint32_t limit;
  uint64_t partial; /* the number that PARTIAL_BEGIN got, with the same user; below 2^53 */
  sdb_slice field, text;
} sdb_job;

/* Jobs that are not done at one time. */
#define SDB_JOBS_MAX 262144

/* Hands in `count` jobs, to be carried out in order; each comes back once, as SDB_MAIL_DONE with a
 * status of the function it stands for (sdb_push...). Those of a partial may follow its begin
 * without waiting, but its commit, which gives SDB_CONFLICT before the begin is done. What is left
 * open when its application forgets it is aborted when the database closes. `*taken` (may be NULL)
 * is how many were handed in: fewer than `count` only on an error, which is that of the next one:
 * SDB_INVALID_ARGUMENT: the kind, user or limit; SDB_UNKNOWN_STORE; SDB_NOT_FOUND: an UPDATE, or a
 * REMOVE of an event store, with the nil id; SDB_LIMIT: SDB_JOBS_MAX are not done: wait for some;
 * SDB_CLOSED; SDB_NO_MEMORY. */
SDB_API SDB_MUST_CHECK sdb_status sdb_mailbox_submit(
    sdb_mailbox *mailbox, sdb_job *jobs, size_t count, size_t *taken, sdb_error *error);

#ifdef __cplusplus
}
#endif
#endif
