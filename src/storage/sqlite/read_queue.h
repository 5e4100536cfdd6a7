/* storage/sqlite/read_queue.h: the operations that wait for a reader. */
#ifndef SDB_STORAGE_SQLITE_READ_QUEUE_H
#define SDB_STORAGE_SQLITE_READ_QUEUE_H

#include "storage/sqlite/inbox.h"

struct sdb_read_queue {
  const sdb_mem *mem;
  pthread_mutex_t mutex;
  pthread_cond_t work;
  bool waits; /* false: by hand, as of the inbox */
  sdb_op_list ops;
  bool closing;
};

SDB_MUST_CHECK sdb_status sdb_read_queue_init(
    struct sdb_read_queue *queue, const sdb_mem *mem, bool waits);
void sdb_read_queue_free(struct sdb_read_queue *queue);

/* Any thread. */
void sdb_read_queue_put(struct sdb_read_queue *queue, sdb_op_list *ops);
void sdb_read_queue_close(struct sdb_read_queue *queue);

/* The next operation; NULL: the queue is empty, and closed or by hand. */
sdb_op *sdb_read_queue_take(struct sdb_read_queue *queue);

#endif
