/* server/questions.h: what the application is asked by mail, and its answers. */
#ifndef SDB_SERVER_QUESTIONS_H
#define SDB_SERVER_QUESTIONS_H

#include "hub/hub.h"
#include <syncdb/mailbox.h>

/* The loop: a JUDGE output. */
void sdb_server_on_judge(sdb_database *database, const sdb_hub_output *output);

/* Any thread inside the mailbox's gate: takes the verdicts and identities among `answers` to the
 * loop. SDB_NO_MEMORY: none of them. */
SDB_MUST_CHECK sdb_status sdb_server_answer(
    sdb_database *database, const sdb_mail_answer *answers, size_t count);

#endif
