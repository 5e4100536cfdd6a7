/* server/questions.c: what the application is asked by mail, and its answers on the loop.
 *
 * A question that cannot be put (no memory, or too much waits to be taken) is answered at once in
 * the application's place: a change is `unavailable`. Who a device is nobody can say in its place:
 * the hub waits for a while, and closes it with 1013.
 *
 * Tokens are secrets: they go to the application, and into no log.
 */
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

/* ---- identities ---- */

sdb_caller *sdb_caller_create(const sdb_mem *mem, const sdb_net_request *request, sdb_slice token) {
  size_t size = token.size + request->remote.size + request->text.size + 3;
  sdb_caller *caller = sdb_mem_alloc(mem, sizeof(*caller) + size);
  if (!caller) return NULL;
  char *text = (char *)(caller + 1);
  caller->token = sdb_mail_put(&text, token);
  caller->remote = sdb_mail_put(&text, request->remote);
  caller->head = sdb_mail_put(&text, request->text);
  return caller;
}

void sdb_server_ask_caller(sdb_database *database, sdb_session *session, sdb_slice token) {
  const sdb_caller *caller = session->caller;
  sdb_mailbox *mailbox = database->mailbox;
  if (token.size == 0) token = caller->token;
  if (token.size > SDB_TOKEN_SIZE_MAX) token.size = 0; /* nobody's */
  size_t size = token.size + caller->remote.size + caller->head.size + 3;
  char *text;
  SDB_ASSERT(session->ticket == 0);
  sdb_mail_piece *piece = sdb_mail_create(mailbox->mem, SDB_MAIL_AUTHENTICATE, size, &text);
  if (!piece) return;
  piece->mail.token = sdb_mail_put(&text, token);
  piece->mail.remote = sdb_mail_put(&text, caller->remote);
  piece->mail.head = sdb_mail_put(&text, caller->head);
  session->ticket = sdb_tickets_add(&database->callers, session);
  piece->mail.ticket = session->ticket * SDB_TICKET_KINDS + SDB_MAIL_AUTHENTICATE;
  if (session->ticket != 0 && sdb_mailbox_ask(mailbox, piece, sizeof(*piece) + size)) return;
  sdb_mem_free(mailbox->mem, piece);
}

/* An expiry that has passed is as good as no identity. */
static void identify(sdb_database *database, const sdb_mail_answer *answer) {
  sdb_session *session = sdb_tickets_take(&database->callers, answer->ticket / SDB_TICKET_KINDS);
  if (!session) return;
  session->ticket = 0;
  uint64_t now_ms = sdb_net_now_ms(database->net);
  sdb_slice user = {NULL, 0};
  bool ended = answer->expires_ms != 0 && answer->expires_ms <= now_ms;
  if (answer->status == SDB_OK && !ended && sdb_identity_is_name(answer->user)) user = answer->user;
  sdb_hub_on_identity(database->hub, session->peer, user, answer->expires_ms, now_ms);
}

/* ---- answers ---- */

/* Behind the call: `count` answers, and their text. */
typedef struct answers_call {
  size_t count;
  sdb_mail_answer answers[];
} answers_call;

static void run_answers(sdb_call *call, sdb_database *database) {
  const answers_call *given = call->argument;
  for (size_t i = 0; i < given->count; i++) {
    const sdb_mail_answer *answer = &given->answers[i];
    if (answer->ticket % SDB_TICKET_KINDS == SDB_MAIL_AUTHENTICATE)
      identify(database, answer);
    else
      judge(database, answer);
  }
  sdb_call_complete(call, SDB_OK, NULL);
}

static bool is_for_loop(const sdb_mail_answer *answer) {
  uint64_t kind = answer->ticket % SDB_TICKET_KINDS;
  return kind == SDB_MAIL_JUDGE || kind == SDB_MAIL_AUTHENTICATE;
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
