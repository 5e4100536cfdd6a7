/* base/tickets.h: numbers for things that somebody else will answer for, late or never.
 *
 * A ticket is never 0, fits in 50 bits, and is good until it is given back: the place of the thing
 * in a table, and how often that place was given before, so an old ticket of a place that is
 * taken anew is told from the new one (until the place was given 2^26 times).
 */
#ifndef SDB_BASE_TICKETS_H
#define SDB_BASE_TICKETS_H

#include "base/memory.h"
#include <stdbool.h>

#define SDB_TICKET_BITS 50
#define SDB_TICKETS_MAX ((uint32_t)1 << 24) /* at one time */

typedef struct sdb_ticket_place sdb_ticket_place;

typedef struct sdb_tickets {
  const sdb_mem *mem;
  sdb_ticket_place *places;
  uint32_t count;    /* places that were ever given */
  uint32_t capacity; /* places there is room for */
  uint32_t free;     /* the first of those given back, + 1; 0: none */
} sdb_tickets;

void sdb_tickets_init(sdb_tickets *tickets, const sdb_mem *mem);
void sdb_tickets_free(sdb_tickets *tickets);

/* A ticket for `item`, which is not NULL; 0: no memory, or too many. */
uint64_t sdb_tickets_add(sdb_tickets *tickets, void *item);

/* What the ticket is for; NULL: for nothing any more, or it never was one. */
void *sdb_tickets_get(const sdb_tickets *tickets, uint64_t ticket);

/* Takes a ticket back, and gives what it was for, or NULL. */
void *sdb_tickets_take(sdb_tickets *tickets, uint64_t ticket);

#endif
