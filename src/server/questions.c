/* server/questions.c: what the application is asked by mail, and its answers on the loop.
 *
 * A question that cannot be put (no memory, or too much waits to be taken) is answered at once in
 * the application's place: a change is `unavailable`.
 */
#include "server/questions.h"
#include "base/error.h"
#include "server/state.h"

/* ---- verdicts ---- */

static bool put_change(sdb_database *database, const sdb_hub_output *output) {
  sdb_mailbox *mailbox = database->mailbox;
  size_t size = output->user.size + 1 + output->row.object.size + 1;
  char *text;
  sdb_mail_piece *piece = sdb_mail_create(mailbox->mem, SDB_MAIL_JUDGE, size, &text);
  if (!piece) return false;
  sdb_mail *mail = &piece->mail;
  mail->ticket = output->ticket * SDB_TICKET_KINDS + SDB_MAIL_JUDGE;
  mail->store = database->stores[output->row.store];
  mail->action = output->action;
  mail->user = sdb_mail_put(&text, output->user);
  mail->object = sdb_mail_put(&text, output->row.object);
  if (sdb_mailbox_ask(mailbox, piece, sizeof(*piece) + size)) return true;
  sdb_mem_free(mailbox->mem, piece);
  return false;
}

void sdb_server_on_judge(sdb_database *database, const sdb_hub_output *output) {
  if (put_change(database, output)) return;
  sdb_error error;
  sdb_error_set(&error, SDB_UNAVAILABLE, "the application cannot be asked", NULL, NULL);
  sdb_hub_on_verdict(
      database->hub, output->ticket, SDB_UNAVAILABLE, &error, sdb_net_now_ms(database->net));
}

static void judge(sdb_database *database, const sdb_mail_answer *answer) {
  sdb_error error;
  sdb_error_set(&error, answer->status, sdb_status_text(answer->status), NULL, NULL);
  if (answer->message.size > 0)
    sdb_text_copy(error.message, sizeof(error.message), answer->message);
  sdb_text_copy(error.path, sizeof(error.path), answer->path);
  sdb_hub_on_verdict(database->hub, answer->ticket / SDB_TICKET_KINDS, answer->status, &error,
      sdb_net_now_ms(database->net));
}

/* ---- answers ---- */

/* Behind the call: `count` answers, and their text. */
typedef struct answers_call {
  size_t count;
  sdb_mail_answer answers[];
} answers_call;

static void run_answers(sdb_call *call, sdb_database *database) {
  const answers_call *given = call->argument;
  for (size_t i = 0; i < given->count; i++)
    judge(database, &given->answers[i]);
  sdb_call_complete(call, SDB_OK, NULL);
}

static bool is_for_loop(const sdb_mail_answer *answer) {
  return answer->ticket % SDB_TICKET_KINDS != SDB_MAIL_EVENTS;
}

static sdb_slice cut(sdb_slice text, size_t max) {
  return sdb_slice_make(text.data, text.size < max ? text.size : max);
}

static sdb_slice keep(char **to, sdb_slice text) {
  sdb_slice kept = sdb_slice_make(*to, text.size);
  if (text.size > 0) memcpy(*to, text.data, text.size);
  *to += text.size;
  return kept;
}

/* The answer with what there is no use for left out. */
static sdb_mail_answer shorten(const sdb_mail_answer *answer) {
  sdb_mail_answer shorter = *answer;
  shorter.message = cut(answer->message, SDB_ERROR_MESSAGE_SIZE);
  shorter.path = cut(answer->path, SDB_ERROR_PATH_SIZE);
  shorter.user = cut(answer->user, SDB_IDENTITY_USER_SIZE);
  return shorter;
}

static size_t size_of(const sdb_mail_answer *answer) {
  return sizeof(*answer) + answer->message.size + answer->path.size + answer->user.size;
}

sdb_status sdb_server_answer(sdb_database *database, const sdb_mail_answer *answers, size_t count) {
  size_t size = sizeof(answers_call), for_loop = 0;
  for (size_t i = 0; i < count; i++) {
    sdb_mail_answer answer = shorten(&answers[i]);
    if (!is_for_loop(&answer)) continue;
    size += size_of(&answer);
    for_loop++;
  }
  if (for_loop == 0) return SDB_OK;
  sdb_call *call = sdb_call_create(database, size);
  if (!call) return SDB_NO_MEMORY;
  call->run = run_answers;
  answers_call *given = call->argument;
  given->count = for_loop;
  char *to = (char *)(given->answers + for_loop);
  sdb_mail_answer *at = given->answers;
  for (size_t i = 0; i < count; i++) {
    if (!is_for_loop(&answers[i])) continue;
    *at = shorten(&answers[i]);
    at->message = keep(&to, at->message);
    at->path = keep(&to, at->path);
    at->user = keep(&to, at->user);
    at++;
  }
  call->next = NULL;
  if (sdb_calls_post(database, call, &call->next, 1) != SDB_OK) /* closed: nobody waits */
    sdb_mem_free(database->mem, call);
  return SDB_OK;
}
