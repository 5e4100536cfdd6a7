/* storage/sqlite/inbox.h: what waits for the writer: operations, and the indexer's blocks.
 *
 * With threads, its calls wait for one another. Where one thread does all by hand nobody else would
 * end a wait, so none of them waits: they give what there is.
 */
#ifndef SDB_STORAGE_SQLITE_INBOX_H
#define SDB_STORAGE_SQLITE_INBOX_H

#include "hub/storage_port.h"
#include "storage/sqlite/run.h"
#include "storage/sqlite/tail.h"
#include <pthread.h>

/* A list of operations, linked by `next`. */
typedef struct sdb_op_list {
  sdb_op *first, **end; /* `end` is where the next one is linked in */
  size_t count;
} sdb_op_list;

void sdb_op_list_init(sdb_op_list *list);
void sdb_op_list_add(sdb_op_list *list, sdb_op *op);
void sdb_op_list_move(sdb_op_list *to, sdb_op_list *from); /* all of it, to the end */
sdb_op *sdb_op_list_take(sdb_op_list *list);               /* the first; not of an empty list */

typedef enum sdb_index_item_kind {
  SDB_INDEX_BEGIN = 1, /* run.id is to be built */
  SDB_INDEX_BLOCK,     /* one block of it */
  SDB_INDEX_END,       /* it is complete: it takes the place of the runs or generation it covers */
  SDB_INDEX_FILTER     /* a filter for the run run.id, which has none yet */
} sdb_index_item_kind;

/* A step of the index, in the order in which the writer is to take them. */
typedef struct sdb_index_item sdb_index_item;
struct sdb_index_item {
  sdb_index_item *next;
  sdb_index_item_kind kind;
  sdb_run run;                /* of a BLOCK only the id holds */
  bool client_part;           /* BLOCK */
  uint64_t number;            /* BLOCK */
  sdb_index_entry first;      /* BLOCK of entries: its fence */
  sdb_filter *filter;         /* END and FILTER: may be NULL; goes with the item until applied */
  sdb_generation *generation; /* END: what was flushed; NULL after a merge */
  size_t size;
  uint8_t bytes[];
};

typedef struct sdb_inbox {
  const sdb_mem *mem;
  bool waits; /* false: by hand */
  pthread_mutex_t mutex;
  pthread_cond_t work;    /* for the writer: something came */
  pthread_cond_t settled; /* for the indexer: items were committed, or it is to stop */
  sdb_op_list ops;
  sdb_index_item *items, **items_end;
  size_t items_waiting; /* items here or with the writer, not committed */
  size_t items_count;   /* items here */
  bool items_ready;     /* enough of them to make a transaction for */
  uint64_t ended;       /* END items committed */
  bool finish_checkpoint;
  bool closing;    /* for the writer: stop once all is carried out */
  bool index_work; /* for the indexer: a generation was frozen */
  bool indexer_stop;
} sdb_inbox;

SDB_MUST_CHECK sdb_status sdb_inbox_init(sdb_inbox *inbox, const sdb_mem *mem, bool waits);
void sdb_inbox_free(sdb_inbox *inbox);

/* ---- for the submitter and other threads ---- */

void sdb_inbox_submit(sdb_inbox *inbox, sdb_op_list *ops);
void sdb_inbox_ask_checkpoint(sdb_inbox *inbox);
void sdb_inbox_close(sdb_inbox *inbox);
void sdb_inbox_stop_indexer(sdb_inbox *inbox);

/* ---- for the indexer ---- */

/* Waits until there is room, and adds the item. False: it is to stop, the item was not taken. */
SDB_MUST_CHECK bool sdb_inbox_put_item(sdb_inbox *inbox, sdb_index_item *item);

/* Waits until `ended` END items are committed. SDB_OK; SDB_BUSY: by hand, and not yet; SDB_CLOSED:
 * it is to stop. */
SDB_MUST_CHECK sdb_status sdb_inbox_await_ended(sdb_inbox *inbox, uint64_t ended);

/* Waits until a generation was frozen since the last call. False: it is to stop. */
SDB_MUST_CHECK bool sdb_inbox_await_index_work(sdb_inbox *inbox);

/* ---- for the writer ---- */

typedef struct sdb_inbox_work {
  sdb_op_list ops;
  sdb_index_item *items; /* in order */
  bool finish_checkpoint;
  bool closing;
} sdb_inbox_work;

typedef enum sdb_inbox_wait {
  SDB_INBOX_NO_WAIT,
  SDB_INBOX_WAIT_BRIEFLY, /* a tenth of a second, for any items or operations */
  SDB_INBOX_WAIT
} sdb_inbox_wait;

/* Waits for work as told and takes all that is there. `ops` are moved to the end of work->ops;
 * `items` are handed over. */
void sdb_inbox_take(sdb_inbox *inbox, sdb_inbox_wait wait, sdb_inbox_work *work);

/* Whether the writer would find something to do. */
bool sdb_inbox_has_work(sdb_inbox *inbox);

/* Says that a generation was frozen. */
void sdb_inbox_wake_indexer(sdb_inbox *inbox);

/* Says that `count` items, `ended` of them END, were committed. */
void sdb_inbox_settle(sdb_inbox *inbox, size_t count, uint64_t ended);

void sdb_index_item_free(const sdb_mem *mem, sdb_index_item *item);

#endif
