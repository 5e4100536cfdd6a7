/* storage/local/order.c: see order.h. */
#include "storage/local/order.h"

void sdb_order_init(sdb_order *order) {
  memset(order, 0, sizeof(*order));
  order->random = 0x9E3779B97F4A7C15; /* the same calls give the same list */
}

uint32_t sdb_order_height(sdb_order *order) {
  order->random ^= order->random << 13;
  order->random ^= order->random >> 7;
  order->random ^= order->random << 17;
  uint32_t height = 1;
  for (uint64_t bits = order->random >> 16; height < SDB_ORDER_HEIGHT_MAX && (bits & 3) == 0;
       bits >>= 2)
    height++;
  return height;
}

/* On each floor, the link that leads to the first node that is not above `id`. */
static void find_links(sdb_order *order, const sdb_uuid *id, sdb_order_node **links[]) {
  sdb_order_node **next = order->first;
  for (uint32_t floor = SDB_ORDER_HEIGHT_MAX; floor-- > 0;) {
    while (next[floor] && sdb_order_compare(&next[floor]->id, id) > 0)
      next = next[floor]->next;
    links[floor] = &next[floor];
  }
}

/* The first node that is not above `id`. */
static sdb_order_node *not_above(const sdb_order *order, const sdb_uuid *id) {
  sdb_order_node *const *next = order->first;
  for (uint32_t floor = SDB_ORDER_HEIGHT_MAX; floor-- > 0;) {
    while (next[floor] && sdb_order_compare(&next[floor]->id, id) > 0)
      next = next[floor]->next;
  }
  return next[0];
}

sdb_order_node *sdb_order_find(const sdb_order *order, const sdb_uuid *id) {
  sdb_order_node *node = not_above(order, id);
  return node && sdb_order_compare(&node->id, id) == 0 ? node : NULL;
}

sdb_order_node *sdb_order_below(const sdb_order *order, const sdb_uuid *id) {
  sdb_order_node *node = not_above(order, id);
  return node && sdb_order_compare(&node->id, id) == 0 ? node->next[0] : node;
}

void sdb_order_put(sdb_order *order, sdb_order_node *node) {
  sdb_order_node **links[SDB_ORDER_HEIGHT_MAX];
  find_links(order, &node->id, links);
  SDB_ASSERT(node->height > 0 && node->height <= SDB_ORDER_HEIGHT_MAX);
  SDB_ASSERT(!*links[0] || sdb_order_compare(&(*links[0])->id, &node->id) < 0);
  for (uint32_t floor = 0; floor < node->height; floor++) {
    node->next[floor] = *links[floor];
    *links[floor] = node;
  }
  order->count++;
}

sdb_order_node *sdb_order_take(sdb_order *order, const sdb_uuid *id) {
  sdb_order_node **links[SDB_ORDER_HEIGHT_MAX];
  find_links(order, id, links);
  sdb_order_node *node = *links[0];
  if (!node || sdb_order_compare(&node->id, id) != 0) return NULL;
  for (uint32_t floor = 0; floor < node->height; floor++) {
    SDB_ASSERT(*links[floor] == node);
    *links[floor] = node->next[floor];
  }
  order->count--;
  return node;
}
