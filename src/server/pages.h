/* server/pages.h: a folder of pages, read once and answered from memory. */
#ifndef SDB_SERVER_PAGES_H
#define SDB_SERVER_PAGES_H

#include "net/net.h"

#define SDB_PAGES_FILES_MAX 1024
#define SDB_PAGES_BYTES_MAX (64 * 1024 * 1024)
#define SDB_PAGES_DEPTH_MAX 16 /* folders within one another */
#define SDB_PAGES_PATH_MAX 1024
#define SDB_PAGES_POLICY_MAX 4096

typedef struct sdb_pages sdb_pages;

/* Reads every file under `folder` whose name, and whose folders' names, do not begin with a dot.
 * `policy` NULL: the default of syncdb/server.h. SDB_INVALID_ARGUMENT: something in it is neither a
 * file nor a folder (a symbolic link), or the policy is no header's value; SDB_LIMIT: one of the
 * maxima above; SDB_IO; SDB_NO_MEMORY. */
SDB_MUST_CHECK sdb_status sdb_pages_load(const sdb_mem *mem, const char *folder, const char *policy,
    sdb_pages **pages, sdb_error *error);

/* NULL is allowed. Not before the net that answers from it is destroyed. */
void sdb_pages_free(sdb_pages *pages);

/* Answers a request for one of them; a path that ends in '/' stands for its index.html. False:
 * there is none, `*answer` is as it was. Any thread. */
bool sdb_pages_answer(
    const sdb_pages *pages, const sdb_net_request *request, sdb_net_answer *answer);

#endif
