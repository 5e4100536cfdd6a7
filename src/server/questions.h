/* server/questions.h: what the application is asked by mail, and its answers. */
#ifndef SDB_SERVER_QUESTIONS_H
#define SDB_SERVER_QUESTIONS_H

#include "hub/hub.h"
#include "net/net.h"
#include <syncdb/mailbox.h>

/* The loop: a JUDGE output. */
void sdb_server_on_judge(sdb_database *database, const sdb_hub_output *output);

typedef struct sdb_session sdb_session;

/* What a device showed when it connected; all in one piece. */
typedef struct sdb_caller {
  sdb_slice token, remote, head;
} sdb_caller;

/* NULL: no memory. */
sdb_caller *sdb_caller_create(const sdb_mem *mem, const sdb_net_request *request, sdb_slice token);

/* The loop: asks who a session is. `token`: of its hello or auth, or empty. */
void sdb_server_ask_caller(sdb_database *database, sdb_session *session, sdb_slice token);

/* Any thread inside the mailbox's gate: takes the verdicts and identities among `answers` to the
 * loop. SDB_NO_MEMORY: none of them. */
SDB_MUST_CHECK sdb_status sdb_server_answer(
    sdb_database *database, const sdb_mail_answer *answers, size_t count);

#endif
