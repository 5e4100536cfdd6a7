/* storage/local/order.h: things in the order of their ids, greatest first: a skip list.
 *
 * A list owns nothing. Its nodes stand inside what is listed and are made before they are put in,
 * so that putting in and taking out need no memory and cannot fail.
 */
#ifndef SDB_STORAGE_LOCAL_ORDER_H
#define SDB_STORAGE_LOCAL_ORDER_H

#include "base/base.h"
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <syncdb/uuid.h>

#define SDB_ORDER_HEIGHT_MAX 16 /* with a quarter going up each floor: for billions */

typedef struct sdb_order_node sdb_order_node;
struct sdb_order_node {
  sdb_uuid id;
  uint32_t height;
  sdb_order_node **next; /* `height` of them, on each floor; [0] is the next lower id */
};

typedef struct sdb_order {
  sdb_order_node *first[SDB_ORDER_HEIGHT_MAX];
  size_t count;
  uint64_t random;
} sdb_order;

void sdb_order_init(sdb_order *order);

/* How many floors the next node is to have: the caller sets its `height` and room for `next`. */
uint32_t sdb_order_height(sdb_order *order);

/* The node with this id, or NULL. */
sdb_order_node *sdb_order_find(const sdb_order *order, const sdb_uuid *id);

/* The greatest node below `id`; NULL: none. */
sdb_order_node *sdb_order_below(const sdb_order *order, const sdb_uuid *id);

/* `id` must not be there yet. */
void sdb_order_put(sdb_order *order, sdb_order_node *node);

/* Takes out the node with this id and gives it, or NULL. */
sdb_order_node *sdb_order_take(sdb_order *order, const sdb_uuid *id);

/* Below 0, 0 or above 0. */
static inline int sdb_order_compare(const sdb_uuid *a, const sdb_uuid *b) {
  return memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

#endif
