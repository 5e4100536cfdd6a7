/* server/jobs.c: jobs: requests for the hub that nobody waits for, and the mail that ends them.
 *
 * The mail of a job is made with it, so that it can be told whatever the memory is then.
 */
#include "base/error.h"
#include "server/state.h"

/* ---- done ---- */

static const sdb_error NO_WORDS = {.status = SDB_NO_MEMORY, .message = "out of memory"};

static void tell_error(sdb_mail_piece *piece, sdb_status status, const sdb_error *error) {
  piece->mail.error = &NO_WORDS;
  piece->error = sdb_mem_alloc(sdb_platform_mem(), sizeof(*piece->error));
  if (!piece->error) return;
  if (error)
    *piece->error = *error;
  else
    sdb_error_set(piece->error, status, sdb_status_text(status), NULL, NULL);
  piece->mail.error = piece->error;
}

void sdb_job_done(sdb_call *call, const sdb_error *error) {
  sdb_mail_piece *piece = call->mail;
  piece->mail.status = call->status;
  piece->mail.receipt = call->receipt;
  piece->mail.records = piece->records = call->records;
  if (call->status != SDB_OK) tell_error(piece, call->status, error);
  sdb_mailbox_post(call->mailbox, piece);
}

/* ---- handing in ---- */

static const sdb_request_kind KINDS[] = {
    [SDB_JOB_PUSH] = SDB_REQUEST_PUT,
    [SDB_JOB_UPDATE] = SDB_REQUEST_PUT,
    [SDB_JOB_REMOVE] = SDB_REQUEST_REMOVE,
    [SDB_JOB_GET] = SDB_REQUEST_GET,
    [SDB_JOB_LIST] = SDB_REQUEST_LIST,
    [SDB_JOB_SINGULAR] = SDB_REQUEST_SINGULAR,
    [SDB_JOB_PARTIAL_BEGIN] = SDB_REQUEST_PARTIAL_BEGIN,
    [SDB_JOB_PARTIAL_APPEND] = SDB_REQUEST_PARTIAL_APPEND,
    [SDB_JOB_PARTIAL_SET] = SDB_REQUEST_PARTIAL_SET,
    [SDB_JOB_PARTIAL_COMMIT] = SDB_REQUEST_PARTIAL_COMMIT,
    [SDB_JOB_PARTIAL_ABORT] = SDB_REQUEST_PARTIAL_ABORT,
};

static bool names_a_store(sdb_job_kind kind) {
  return kind <= SDB_JOB_PARTIAL_BEGIN;
}

static const char *what_is_wrong(const sdb_job *job) {
  if (job->kind < SDB_JOB_PUSH || job->kind > SDB_JOB_PARTIAL_ABORT) return "no such kind of job";
  if (job->user.size == 0 || job->user.size > SDB_USER_NAME_MAX || !sdb_utf8_valid(job->user))
    return "the user is not 1 to 255 bytes of UTF-8";
  if (job->kind == SDB_JOB_LIST && (job->limit < 1 || job->limit > SDB_LIST_LIMIT_MAX))
    return "limit is not 1 to 1000";
  return NULL;
}

/* To the hub a nil id means a new object, or in a singular store the one there is. */
static bool lacks_id(const sdb_job *job) {
  if (!sdb_uuid_is_nil(job->id)) return false;
  if (job->kind == SDB_JOB_REMOVE) return sdb_store_type_of(job->store) != SDB_STORE_SINGULAR;
  return job->kind == SDB_JOB_UPDATE;
}

static sdb_status check(
    const sdb_database *database, const sdb_job *job, uint16_t *store, sdb_error *error) {
  const char *wrong = what_is_wrong(job);
  if (wrong) return sdb_error_set(error, SDB_INVALID_ARGUMENT, wrong, NULL, NULL);
  if (!names_a_store(job->kind)) return SDB_OK;
  int index = sdb_interest_store(database, job->store, error);
  if (index < 0) return SDB_UNKNOWN_STORE;
  *store = (uint16_t)index;
  if (!lacks_id(job)) return SDB_OK;
  return sdb_error_set(error, SDB_NOT_FOUND, sdb_status_text(SDB_NOT_FOUND), NULL, NULL);
}

/* What the job holds until it is done; SIZE_MAX: more than may be. */
static size_t size_of(const sdb_job *job) {
  if (job->object.size > SDB_JOBS_BYTES_MAX || job->field.size > SDB_JOBS_BYTES_MAX ||
      job->text.size > SDB_JOBS_BYTES_MAX)
    return SIZE_MAX;
  return job->user.size + job->object.size + job->field.size + job->text.size;
}

static sdb_slice keep(char **to, sdb_slice text) {
  sdb_slice kept = sdb_slice_make(*to, text.size);
  if (text.size > 0) memcpy(*to, text.data, text.size);
  *to += text.size;
  return kept;
}

static sdb_request request_of(const sdb_job *job, uint16_t store, char *to) {
  sdb_request request = {.kind = KINDS[job->kind], .store = store};
  request.user = keep(&to, job->user);
  request.object = keep(&to, job->object);
  request.field = keep(&to, job->field);
  request.text = keep(&to, job->text);
  if (names_a_store(job->kind) && job->kind != SDB_JOB_PUSH) request.id = job->id;
  request.before = job->before;
  request.limit = job->limit;
  request.partial = job->partial;
  return request;
}

static sdb_call *call_of(sdb_mailbox *mailbox, const sdb_job *job, uint16_t store, size_t size) {
  char *text;
  sdb_mail_piece *piece = sdb_mail_create(mailbox->mem, SDB_MAIL_DONE, 0, &text);
  sdb_call *call = piece ? sdb_call_create(mailbox->database, size) : NULL;
  if (!call) {
    sdb_mem_free(mailbox->mem, piece);
    return NULL;
  }
  piece->mail.tag = job->tag;
  piece->mail.store = names_a_store(job->kind) ? job->store : NULL;
  piece->job_bytes = size;
  call->mailbox = mailbox;
  call->mail = piece;
  call->request = request_of(job, store, call->argument);
  call->want_records = job->kind >= SDB_JOB_GET && job->kind <= SDB_JOB_SINGULAR;
  call->detached_done = sdb_job_done;
  return call;
}

/* The end of a partial gives room back, so it is taken at any time. */
static bool is_too_much(sdb_mailbox *mailbox, const sdb_job *job, size_t size) {
  if (size == SIZE_MAX) return true;
  if (job->kind == SDB_JOB_PARTIAL_ABORT) return false;
  return atomic_load(&mailbox->jobs) >= SDB_JOBS_MAX ||
         atomic_load(&mailbox->jobs_bytes) + size > SDB_JOBS_BYTES_MAX;
}

static sdb_status begin(sdb_mailbox *mailbox, sdb_job *job, sdb_call **call, sdb_error *error) {
  uint16_t store = 0;
  sdb_status status = check(mailbox->database, job, &store, error);
  if (status != SDB_OK) return status;
  size_t size = size_of(job);
  if (is_too_much(mailbox, job, size))
    return sdb_error_set(error, SDB_LIMIT, "too many jobs are not done yet", NULL, NULL);
  if (job->kind == SDB_JOB_PARTIAL_BEGIN)
    job->partial = atomic_fetch_add(&mailbox->database->partials, 1) + 1;
  *call = call_of(mailbox, job, store, size);
  if (!*call) return sdb_error_set(error, SDB_NO_MEMORY, "out of memory", NULL, NULL);
  atomic_fetch_add(&mailbox->jobs, 1);
  atomic_fetch_add(&mailbox->jobs_bytes, size);
  return SDB_OK;
}

/* The database closes: they were never handed in. */
static void take_back(sdb_mailbox *mailbox, sdb_call *list) {
  while (list) {
    sdb_call *call = list;
    list = call->next;
    atomic_fetch_sub(&mailbox->jobs, 1);
    atomic_fetch_sub(&mailbox->jobs_bytes, call->mail->job_bytes);
    sdb_mem_free(mailbox->mem, call->mail);
    sdb_mem_free(mailbox->mem, call);
  }
}

/* Inside the gate. */
static sdb_status submit(
    sdb_mailbox *mailbox, sdb_job *jobs, size_t count, size_t *taken, sdb_error *error) {
  sdb_call *first = NULL, **last = &first;
  sdb_status status = SDB_OK;
  size_t made = 0;
  while (made < count) {
    sdb_call *call = NULL;
    status = begin(mailbox, &jobs[made], &call, error);
    if (status != SDB_OK || !call) break;
    call->next = NULL;
    *last = call;
    last = &call->next;
    made++;
  }
  if (first && sdb_calls_post(mailbox->database, first, last, made) != SDB_OK) {
    take_back(mailbox, first);
    return sdb_error_set(error, SDB_CLOSED, "the database is closed", NULL, NULL);
  }
  *taken = made;
  return status;
}

sdb_status sdb_mailbox_submit(
    sdb_mailbox *mailbox, sdb_job *jobs, size_t count, size_t *taken, sdb_error *error) {
  size_t done = 0;
  pthread_mutex_lock(&mailbox->gate);
  sdb_status status = mailbox->database ? submit(mailbox, jobs, count, &done, error)
                                        : sdb_error_set(error, SDB_CLOSED,
                                              "the mailbox has no database", NULL, NULL);
  pthread_mutex_unlock(&mailbox->gate);
  if (taken) *taken = done;
  return status;
}
