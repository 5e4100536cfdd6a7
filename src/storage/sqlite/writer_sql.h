/* storage/sqlite/writer_sql.h: the writer's statements, by sdb_writer_statement. */
#ifndef SDB_STORAGE_SQLITE_WRITER_SQL_H
#define SDB_STORAGE_SQLITE_WRITER_SQL_H

#include "storage/sqlite/writer.h"

static const char *const SDB_WRITER_SQL[SDB_WRITER_STATEMENTS] = {
    [SDB_W_BEGIN] = "BEGIN IMMEDIATE",
    [SDB_W_COMMIT] = "COMMIT",
    [SDB_W_ROLLBACK] = "ROLLBACK",
    [SDB_W_USER_FIND] = "SELECT id FROM user WHERE name = ?1",
    [SDB_W_USER_ADD] = "INSERT INTO user(name) VALUES(?1)",
    [SDB_W_LOG_GET] = "SELECT user, store, object, client, body FROM log WHERE seq = ?1",
    [SDB_W_LOG_DELETE] = "DELETE FROM log WHERE seq = ?1",
    [SDB_W_MOVED_GET] = "SELECT seq FROM moved WHERE object = ?1",
    [SDB_W_MOVED_PUT] = "INSERT OR REPLACE INTO moved VALUES(?1, ?2)",
    [SDB_W_MOVED_DELETE] = "DELETE FROM moved WHERE object = ?1",
    [SDB_W_SINGULAR_GET] = "SELECT seq FROM singular WHERE user = ?1 AND store = ?2",
    [SDB_W_SINGULAR_PUT] = "INSERT OR REPLACE INTO singular VALUES(?1, ?2, ?3)",
    [SDB_W_SINGULAR_DELETE] = "DELETE FROM singular WHERE user = ?1 AND store = ?2",
    [SDB_W_REMOVED_ADD] = "INSERT INTO removed VALUES(?1)",
    [SDB_W_REMOVED_DELETE] = "DELETE FROM removed WHERE seq = ?1",
    [SDB_W_REMOVED_OLDEST] = "SELECT seq FROM removed ORDER BY seq LIMIT 1",
    [SDB_W_HORIZON_PUT] = "INSERT INTO horizon VALUES(?1, ?2, ?3)"
                          " ON CONFLICT DO UPDATE SET seq = max(seq, excluded.seq)",
    [SDB_W_SPENT_ADD] = "INSERT OR REPLACE INTO spent VALUES(?1, ?2, ?3, ?4, ?5, ?6)",
    [SDB_W_SPENT_GET] = "SELECT user, store, object, client FROM spent WHERE seq = ?1",
    [SDB_W_SPENT_NEXT] = "SELECT seq, died, client FROM spent WHERE seq > ?1 ORDER BY seq LIMIT 1",
    [SDB_W_SPENT_DELETE] = "DELETE FROM spent WHERE seq = ?1",
    [SDB_W_FLOOR_PUT] = "UPDATE meta SET value = ?1 WHERE key = 'seq_floor'",
    [SDB_W_RUN_BEGIN] = "INSERT INTO run VALUES(?1, 1, 0, 0, 0, 0, 0, 0, 0)",
    [SDB_W_RUN_END] = "UPDATE run SET state = 2, first = ?2, last = ?3, built = ?4, entries = ?5,"
                      " blocks = ?6, clients = ?7, client_blocks = ?8 WHERE id = ?1",
    [SDB_W_RUN_REPLACE] = "UPDATE run SET state = 3 WHERE state = 2 AND first >= ?1 AND last <= ?2",
    [SDB_W_RUN_VERSION] = "UPDATE meta SET value = value + 1 WHERE key = 'index_version'",
    [SDB_W_RUN_DEAD] = "SELECT id FROM run WHERE state = 3 LIMIT 1",
    [SDB_W_RUN_DELETE] = "DELETE FROM run WHERE id = ?1",
    [SDB_W_BLOCK_ADD] = "INSERT INTO block VALUES(?1, ?2)",
    [SDB_W_BLOCK_DELETE] = "DELETE FROM block WHERE id IN"
                           " (SELECT id FROM block WHERE id >= ?1 AND id < ?2 LIMIT ?3)",
    [SDB_W_FENCE_ADD] = "INSERT INTO fence VALUES(?1, ?2, ?3, ?4, ?5)",
    [SDB_W_FENCE_DELETE] = "DELETE FROM fence WHERE run = ?1 AND (user, store, seq) IN"
                           " (SELECT user, store, seq FROM fence WHERE run = ?1 LIMIT ?2)",
};

_Static_assert(SDB_RUN_BUILDING == 1 && SDB_RUN_LIVE == 2 && SDB_RUN_DEAD == 3,
    "the statements name the states");

#endif
