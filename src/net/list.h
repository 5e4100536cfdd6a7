/* net/list.h: doubly linked lists whose links stand in the members.
 *
 * A link that is in no list points at itself, so taking one off twice does no harm.
 */
#ifndef SDB_NET_LIST_H
#define SDB_NET_LIST_H

#include "base/base.h"
#include <stdbool.h>
#include <stddef.h>

typedef struct sdb_link sdb_link;
struct sdb_link {
  sdb_link *previous, *next;
};

/* Makes an empty list of a head, or a link that is in no list. */
static inline void sdb_link_init(sdb_link *link) {
  link->previous = link->next = link;
}

/* Whether a list is empty, or a link in no list. */
static inline bool sdb_link_alone(const sdb_link *link) {
  return link->next == link;
}

static inline void sdb_link_remove(sdb_link *link) {
  link->previous->next = link->next;
  link->next->previous = link->previous;
  sdb_link_init(link);
}

static inline void sdb_list_append(sdb_link *list, sdb_link *link) {
  SDB_ASSERT(sdb_link_alone(link));
  link->previous = list->previous;
  link->next = list;
  list->previous->next = link;
  list->previous = link;
}

/* Moves all of `from` to the empty list `to`. */
static inline void sdb_list_take(sdb_link *to, sdb_link *from) {
  sdb_link_init(to);
  if (sdb_link_alone(from)) return;
  *to = *from;
  to->previous->next = to;
  to->next->previous = to;
  sdb_link_init(from);
}

#endif
