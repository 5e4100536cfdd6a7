/* server/context.h: a user's data, and the partials that hang on it. Private to this floor. */
#ifndef SDB_SERVER_CONTEXT_H
#define SDB_SERVER_CONTEXT_H

#include "hub/limits.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <syncdb/database.h>

struct sdb_context {
  sdb_database *database;
  atomic_uint references;
  pthread_mutex_t lock; /* of `partials`: different partials may be on different threads */
  sdb_partial *partials;
  size_t user_size;
  char user[SDB_USER_NAME_MAX + 1];
};

_Static_assert(SDB_USER_NAME_MAX + 1 == SDB_IDENTITY_USER_SIZE, "one length of user names");

/* A context with one reference for a name that is known to be valid, or NULL. */
sdb_context *sdb_context_make(sdb_database *database, sdb_slice user);

/* Aborts every partial of the context and lets go of the handles. */
void sdb_context_abort_partials(sdb_context *context);

#endif
