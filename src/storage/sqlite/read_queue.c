/* storage/sqlite/read_queue.c: see read_queue.h. */
#include "storage/sqlite/read_queue.h"

sdb_status sdb_read_queue_init(struct sdb_read_queue *queue, const sdb_mem *mem, bool waits) {
  memset(queue, 0, sizeof(*queue));
  queue->waits = waits;
  sdb_op_list_init(&queue->ops);
  if (pthread_mutex_init(&queue->mutex, NULL) != 0) return SDB_NO_MEMORY;
  if (pthread_cond_init(&queue->work, NULL) != 0) {
    pthread_mutex_destroy(&queue->mutex);
    return SDB_NO_MEMORY;
  }
  queue->mem = mem;
  return SDB_OK;
}

void sdb_read_queue_free(struct sdb_read_queue *queue) {
  if (!queue->mem) return;
  SDB_ASSERT(queue->ops.count == 0);
  pthread_cond_destroy(&queue->work);
  pthread_mutex_destroy(&queue->mutex);
}

void sdb_read_queue_put(struct sdb_read_queue *queue, sdb_op_list *ops) {
  if (ops->count == 0) return;
  pthread_mutex_lock(&queue->mutex);
  if (ops->count == 1)
    pthread_cond_signal(&queue->work);
  else
    pthread_cond_broadcast(&queue->work);
  sdb_op_list_move(&queue->ops, ops);
  pthread_mutex_unlock(&queue->mutex);
}

void sdb_read_queue_close(struct sdb_read_queue *queue) {
  pthread_mutex_lock(&queue->mutex);
  queue->closing = true;
  pthread_cond_broadcast(&queue->work);
  pthread_mutex_unlock(&queue->mutex);
}

sdb_op *sdb_read_queue_take(struct sdb_read_queue *queue) {
  pthread_mutex_lock(&queue->mutex);
  while (queue->waits && queue->ops.count == 0 && !queue->closing)
    pthread_cond_wait(&queue->work, &queue->mutex);
  sdb_op *op = queue->ops.count ? sdb_op_list_take(&queue->ops) : NULL;
  pthread_mutex_unlock(&queue->mutex);
  return op;
}
