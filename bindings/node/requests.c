/* bindings/node/requests.c: a batch of requests from JavaScript (js/src/server/port.ts).
 *
 * Each request is an operation of one letter and its fields, each ended by a NUL:
 *
 *   p ticket store user object          push            u ticket store user id object    update
 *   r ticket store user id              remove          g ticket store user id           get
 *   l ticket store user before limit    list            s ticket store user              singular
 *   b ticket store user object          begin a partial
 *   a user partial field text           append          t user partial object            set
 *   c ticket user partial               commit          x user partial                   abort
 *   k ticket                            events are dealt with
 *   v ticket code message path          verdict; no code: yes
 *   i ticket user expires               identity; no user: nobody
 *
 * The batch is JavaScript of this package: a wrong one is a defect, and ends the process. Free text
 * (append's, a verdict's message) has NUL and 1 escaped, as 1 and a digit.
 */
#include "handle.h"
#include <stdlib.h>

typedef struct node_batch {
  node_handle *handle;
  char *at, *end;
  sdb_job *jobs;
  size_t jobs_count, jobs_capacity;
  sdb_mail_answer *answers;
  size_t answers_count, answers_capacity;
} node_batch;

static void broken(void) {
  napi_fatal_error("syncdb", NAPI_AUTO_LENGTH, "a batch is not understood", NAPI_AUTO_LENGTH);
}

static sdb_slice field(node_batch *batch) {
  size_t left = (size_t)(batch->end - batch->at);
  char *end = left > 0 ? memchr(batch->at, '\0', left) : NULL;
  if (!end) broken();
  sdb_slice text = {batch->at, (size_t)(end - batch->at)};
  batch->at = end + 1;
  return text;
}

static uint64_t number(node_batch *batch) {
  sdb_slice text = field(batch);
  uint64_t value = 0;
  for (size_t i = 0; i < text.size; i++)
    value = value * 10 + (uint64_t)(text.data[i] - '0');
  return value;
}

/* What is no UUID is given as nil, and refused as that. */
static sdb_uuid uuid(node_batch *batch) {
  sdb_uuid id = {{0}};
  sdb_slice text = field(batch);
  if (text.size > 0 && !sdb_uuid_parse(text, &id)) id = (sdb_uuid){{0}};
  return id;
}

static const sdb_store *store(node_batch *batch) {
  uint64_t at = number(batch);
  if (at >= batch->handle->stores_count) broken();
  return batch->handle->stores[at];
}

/* Free text, its escapes undone where it stands. */
static sdb_slice free_text(node_batch *batch) {
  sdb_slice text = field(batch);
  char *from = batch->at - 1 - text.size, *to = from;
  for (size_t i = 0; i < text.size; i++) {
    char c = from[i];
    if (c == 1) c = from[++i] == '0' ? '\0' : 1;
    *to++ = c;
  }
  return sdb_slice_make(from, (size_t)(to - from));
}

static void *one_more(void *array, size_t size, size_t count, size_t *capacity) {
  if (count < *capacity) return array;
  *capacity = *capacity ? *capacity * 2 : 256;
  return node_resize(array, *capacity * size);
}

static sdb_job *add_job(node_batch *batch, sdb_job_kind kind) {
  batch->jobs =
      one_more(batch->jobs, sizeof(*batch->jobs), batch->jobs_count, &batch->jobs_capacity);
  sdb_job *job = &batch->jobs[batch->jobs_count++];
  memset(job, 0, sizeof(*job));
  job->kind = kind;
  return job;
}

/* A job on a store: its ticket, store and user. */
static sdb_job *store_job(node_batch *batch, sdb_job_kind kind) {
  sdb_job *job = add_job(batch, kind);
  job->tag = number(batch);
  job->store = store(batch);
  job->user = field(batch);
  return job;
}

static sdb_job *partial_job(node_batch *batch, sdb_job_kind kind) {
  sdb_job *job = add_job(batch, kind);
  if (kind == SDB_JOB_PARTIAL_COMMIT) job->tag = number(batch);
  job->user = field(batch);
  job->partial = number(batch);
  return job;
}

static sdb_mail_answer *add_answer(node_batch *batch) {
  batch->answers = one_more(
      batch->answers, sizeof(*batch->answers), batch->answers_count, &batch->answers_capacity);
  sdb_mail_answer *answer = &batch->answers[batch->answers_count++];
  memset(answer, 0, sizeof(*answer));
  answer->ticket = number(batch);
  return answer;
}

static sdb_status code_of(sdb_slice code) {
  return sdb_slice_equal(code, sdb_slice_of("invalid_object")) ? SDB_INVALID_OBJECT : SDB_REJECTED;
}

static void read_verdict(node_batch *batch) {
  sdb_mail_answer *answer = add_answer(batch);
  sdb_slice code = field(batch);
  answer->status = code.size ? code_of(code) : SDB_OK;
  answer->message = free_text(batch);
  answer->path = free_text(batch);
}

static void read_identity(node_batch *batch) {
  sdb_mail_answer *answer = add_answer(batch);
  answer->user = field(batch);
  answer->expires_ms = number(batch);
  answer->status = answer->user.size ? SDB_OK : SDB_UNAUTHORIZED;
}

static void read_list(node_batch *batch) {
  sdb_job *job = store_job(batch, SDB_JOB_LIST);
  job->before = uuid(batch);
  job->limit = (uint32_t)number(batch);
}

static void read_update(node_batch *batch) {
  sdb_job *job = store_job(batch, SDB_JOB_UPDATE);
  job->id = uuid(batch);
  job->object = field(batch);
}

static void read_append(node_batch *batch) {
  sdb_job *job = partial_job(batch, SDB_JOB_PARTIAL_APPEND);
  job->field = field(batch);
  job->text = free_text(batch);
}

static void read_request(node_batch *batch) {
  sdb_slice operation = field(batch);
  switch (operation.size == 1 ? operation.data[0] : '\0') {
  case 'p':
    store_job(batch, SDB_JOB_PUSH)->object = field(batch);
    break;
  case 'u':
    read_update(batch);
    break;
  case 'r':
    store_job(batch, SDB_JOB_REMOVE)->id = uuid(batch);
    break;
  case 'g':
    store_job(batch, SDB_JOB_GET)->id = uuid(batch);
    break;
  case 'l':
    read_list(batch);
    break;
  case 's':
    store_job(batch, SDB_JOB_SINGULAR);
    break;
  case 'b':
    store_job(batch, SDB_JOB_PARTIAL_BEGIN)->object = field(batch);
    break;
  case 'a':
    read_append(batch);
    break;
  case 't':
    partial_job(batch, SDB_JOB_PARTIAL_SET)->object = field(batch);
    break;
  case 'c':
    partial_job(batch, SDB_JOB_PARTIAL_COMMIT);
    break;
  case 'x':
    partial_job(batch, SDB_JOB_PARTIAL_ABORT);
    break;
  case 'k':
    add_answer(batch);
    break;
  case 'v':
    read_verdict(batch);
    break;
  case 'i':
    read_identity(batch);
    break;
  default:
    broken();
  }
}

/* ---- carrying out ---- */

static void say_begun(node_text *notices, const sdb_job *job) {
  node_text_word(notices, notices->size > 1 ? ",[7," : "[7,");
  node_text_number(notices, job->tag);
  node_text_word(notices, ",");
  node_text_number(notices, job->partial);
  node_text_word(notices, "]");
}

/* What nobody waits for: the partial is not what its maker believes, so it must not be stored. */
static void say_broken(node_text *notices, uint64_t partial, const sdb_error *error) {
  node_text_word(notices, "[8,");
  node_text_number(notices, partial);
  node_text_word(notices, ",");
  node_text_string(notices, sdb_slice_of(sdb_status_name(error->status)));
  node_text_word(notices, ",");
  node_text_string(notices, sdb_slice_of(error->message));
  node_text_word(notices, "]");
}

/* Hands in what there is; a job that is not taken is told, and the next ones are tried. */
static void submit_jobs(node_batch *batch, node_text *notices) {
  size_t at = 0;
  while (at < batch->jobs_count) {
    sdb_error error = {.status = SDB_OK};
    size_t taken = 0;
    sdb_status status = sdb_mailbox_submit(
        batch->handle->mailbox, batch->jobs + at, batch->jobs_count - at, &taken, &error);
    for (size_t i = at; i < at + taken; i++) {
      if (batch->jobs[i].kind == SDB_JOB_PARTIAL_BEGIN) say_begun(notices, &batch->jobs[i]);
    }
    at += taken;
    if (status == SDB_OK) break;
    error.status = status;
    if (notices->size > 1) node_text_word(notices, ",");
    if (batch->jobs[at].tag > 0)
      node_write_failure(notices, batch->jobs[at].tag, &error);
    else
      say_broken(notices, batch->jobs[at].partial, &error);
    at++;
  }
}

void node_submit(node_handle *handle, char *text, size_t size, node_text *notices) {
  node_batch batch = {.handle = handle, .at = text, .end = text + size};
  while (batch.at < batch.end)
    read_request(&batch);
  submit_jobs(&batch, notices);
  if (batch.answers_count > 0 &&
      sdb_mailbox_answer(handle->mailbox, batch.answers, batch.answers_count) != SDB_OK)
    node_resize(NULL, SIZE_MAX); /* out of memory: as everywhere here */
  free(batch.jobs);
  free(batch.answers);
}
