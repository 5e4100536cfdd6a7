/* server/answers.c: what the application answers to mail.
 *
 * An end of events is for the lanes, on the caller's thread; the rest is for the loop.
 */
#include "server/state.h"

static sdb_mail_kind kind_of(const sdb_mail_answer *answer) {
  return (sdb_mail_kind)(answer->ticket % SDB_TICKET_KINDS);
}

static uint64_t ticket_of(const sdb_mail_answer *answer) {
  return answer->ticket / SDB_TICKET_KINDS;
}

/* True: users whose events may be taken now. */
static bool end_events(sdb_database *database, const sdb_mail_answer *answers, size_t count) {
  bool more = false;
  for (size_t i = 0; i < count; i++) {
    if (kind_of(&answers[i]) == SDB_MAIL_EVENTS &&
        sdb_lanes_end(&database->lanes, ticket_of(&answers[i])))
      more = true;
  }
  return more;
}

sdb_status sdb_mailbox_answer(sdb_mailbox *mailbox, const sdb_mail_answer *answers, size_t count) {
  pthread_mutex_lock(&mailbox->gate);
  sdb_database *database = mailbox->database;
  sdb_status status = database ? sdb_server_answer(database, answers, count) : SDB_OK;
  if (database && end_events(database, answers, count)) sdb_mailbox_announce(mailbox);
  pthread_mutex_unlock(&mailbox->gate);
  return status;
}
